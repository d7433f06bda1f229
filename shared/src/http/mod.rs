//! HTTP: what all functions have in common. The only place of the library that knows axum.
//!
//! A handler fails with a [`Failure`], which is nothing but an [`Error`]; [`serve`] renders it in the shape that the
//! path's family has (RFC 9457 on `/api`, Anthropic's on `/v1/messages`, `OpenAI`'s on the rest of `/v1`), logs it once, and adds what every response carries.

use axum::{
    Extension, Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{clock::Clock, error::Error};

mod ask;
mod body;
mod caller;
mod cors;
mod document;
mod error;
mod options;
mod own;
mod rate_limit;
mod request_id;
pub mod sse;

pub use ask::{AskRequest, Context, Cost, StopSequences};
pub use body::{BODY_LIMIT, Body, Params, Segment, parse, parse_value};
pub use caller::{admit, api_key};
pub use document::Errors;
pub use error::{
    AnthropicDetails, AnthropicError, AnthropicProblem, Failure, OpenAiError, OpenAiProblem, Problem, anthropic_body,
    log, openai_body, retry_after, status,
};
pub use options::answer_fields;
pub use own::{CallPiece, Charged, End, OwnEvent, OwnEvents, Piece};
pub use rate_limit::fields as rate_limit_fields;
pub use request_id::RequestLabel;

/// What a handler returns.
pub type Handled<T> = Result<T, Failure>;

/// A function's routes as a service: with `/healthz`, `/openapi.json`, errors rendered, request ids and CORS.
pub fn serve(routes: OpenApiRouter, clock: Clock) -> Router {
    let (served, paths) = routes.merge(document::routes()).split_for_parts();
    let document = document::Text::of(&document::document(paths));
    let finish = move |request, next| finish(clock.clone(), request, next);
    let served = served.fallback(no_route).method_not_allowed_fallback(wrong_method);
    served.layer(Extension(document)).layer(middleware::from_fn(finish))
}

/// The `OpenAPI` document of routes, without serving them.
#[must_use]
pub fn document_of(routes: OpenApiRouter) -> OpenApi {
    document::document(routes.merge(document::routes()).split_for_parts().1)
}

async fn no_route(request: Request) -> Failure {
    Failure(Error::NoRoute(format!("{} {}", request.method(), request.uri().path())))
}

async fn wrong_method(request: Request) -> Failure {
    Failure(Error::MethodNotAllowed(request.method().to_string()))
}

/// What happens around every request.
async fn finish(clock: Clock, mut request: Request, next: Next) -> Response {
    let label = RequestLabel::of(&request, &clock);
    let origin = cors::origin(&request);
    let mut response = if let Some(answer) = cors::preflight(&request) {
        answer.into_response()
    } else {
        let path = request.uri().path().to_owned();
        request.extensions_mut().insert(label.clone());
        error::render(next.run(request).await, &path, &label, clock.now())
    };
    cors::allow(&mut response, origin);
    label.put_on(&mut response);
    response
}
