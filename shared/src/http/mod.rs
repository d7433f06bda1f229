//! HTTP: what all functions have in common. The only place of the library that knows axum.
//!
//! A handler fails with a [`Failure`], which is nothing but an [`Error`]; [`serve`] renders it in the shape that the
//! path's family has (RFC 9457 on `/api`, Anthropic's on `/v1/messages`, `OpenAI`'s on the rest of `/v1`), logs it once, and adds what every response carries.

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::{Body as ResponseBody, HttpBody},
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    clock::Clock,
    config::OriginToken,
    error::Error,
    telemetry::{Exchange, trace::Trace},
};

mod ask;
mod body;
mod caller;
mod cors;
mod document;
mod error;
mod name;
mod once;
mod operator;
mod options;
mod own;
mod page;
mod patch;
mod person;
mod rate_limit;
mod request_id;
mod source;
pub mod sse;
mod version;

pub use ask::{AskRequest, Context, Cost, StopSequences};
pub use body::{BODY_LIMIT, Body, Form, MaybeBody, Params, Raw, Segment, Segments, parse, parse_value};
pub use caller::{admit, api_key};
pub use document::Errors;
pub use error::{
    AnthropicDetails, AnthropicError, AnthropicProblem, Failure, OpenAiError, OpenAiProblem, Problem, anthropic_body,
    openai_body, retry_after, status,
};
pub use name::name;
pub use once::{Create, Created, Once, is_replayed};
pub use options::answer_fields;
pub use own::{CallPiece, Charged, End, OwnEvent, OwnEvents, Piece};
pub use page::{Page, PageParams, read as read_cursor};
pub use patch::Patch;
pub use rate_limit::fields as rate_limit_fields;
pub use request_id::RequestLabel;
pub use source::source;
pub use version::Versioned;

/// Methods by their names (RFC 9110, RFC 5789); others are logged as `_OTHER`.
const KNOWN: [Method; 9] = [
    Method::CONNECT,
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
    Method::TRACE,
];

/// What a handler returns.
pub type Handled<T> = Result<T, Failure>;

/// The header field in which whatever stands in front of the functions shows that it does.
const ORIGIN_TOKEN: &str = "x-lmo-origin";
/// What begins so answers with what is somebody's alone.
const SECRET: &str = "/api/auth/";
/// Health checks come from everywhere.
const HEALTH: &str = "/healthz";

/// A function's routes as a service: with `/healthz`, `/openapi.json`, errors rendered, request ids and CORS. With an
/// origin token, requests that don't bring it in `X-LMO-Origin` are refused, but for `/healthz`.
pub fn serve(routes: OpenApiRouter, clock: Clock, origin: Option<OriginToken>) -> Router {
    let (served, paths) = routes.merge(document::routes()).split_for_parts();
    let document = document::Text::of(&document::document(paths));
    let surroundings = Arc::new(Surroundings { clock, origin });
    let finish = move |request, next| finish(Arc::clone(&surroundings), request, next);
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

/// What a function knows before it sees a request.
struct Surroundings {
    clock: Clock,
    origin: Option<OriginToken>,
}

impl Surroundings {
    /// Refuses what came past whoever stands in front.
    fn admit(&self, request: &Request) -> Result<(), Failure> {
        if request.uri().path() == HEALTH {
            return Ok(());
        }
        Ok(check_origin_token(self.origin.as_ref(), request.headers())?)
    }
}

/// Refuses what came past whoever stands in front, if the deployment has a token for that.
///
/// # Errors
/// `Forbidden`.
pub fn check_origin_token(token: Option<&OriginToken>, headers: &HeaderMap) -> Result<(), Error> {
    let given = headers.get(ORIGIN_TOKEN).map_or(&[][..], HeaderValue::as_bytes);
    if token.is_none_or(|token| token.is(given)) {
        return Ok(());
    }
    Err(Error::Forbidden("this address is not for callers; use the service's own".to_owned()))
}

/// What happens around every request.
async fn finish(surroundings: Arc<Surroundings>, request: Request, next: Next) -> Response {
    let label = RequestLabel::of(&request, &surroundings.clock);
    // What a caller wrote into the path stays out of the logs.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let method = if KNOWN.contains(request.method()) { request.method().as_str() } else { "_OTHER" };
    let exchange = Exchange::begin(label.as_str(), method, route, Trace::of(request.headers()));
    let response = exchange.scope(answer(&surroundings, label, request, next)).await;
    exchange.status(response.status().as_u16());
    until_end(response, exchange).await
}

/// Ends the exchange behind the last byte of the response.
async fn until_end(response: Response, exchange: Exchange) -> Response {
    if response.body().size_hint().exact().is_some() {
        // It is all there.
        exchange.end().await;
        return response;
    }
    response.map(|body| {
        ResponseBody::from_stream(stream::unfold(Some((body.into_data_stream(), exchange)), |state| async {
            let (mut pieces, exchange) = state?;
            if let Some(piece) = exchange.scope(pieces.next()).await {
                return Some((piece, Some((pieces, exchange))));
            }
            exchange.end().await;
            None
        }))
    })
}

async fn answer(surroundings: &Surroundings, label: RequestLabel, mut request: Request, next: Next) -> Response {
    let origin = cors::origin(&request);
    let mut response = if let Some(answer) = cors::preflight(&request) {
        answer.into_response()
    } else {
        let path = request.uri().path().to_owned();
        let source = source::of(&request, &label, surroundings.origin.is_some());
        request.extensions_mut().insert(source);
        request.extensions_mut().insert(label.clone());
        let answered = match surroundings.admit(&request) {
            Ok(()) => next.run(request).await,
            Err(refused) => refused.into_response(),
        };
        let mut rendered = error::render(answered, &path, &label, surroundings.clock.now());
        if path.starts_with(SECRET) {
            rendered.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        rendered
    };
    cors::allow(&mut response, origin);
    label.put_on(&mut response);
    response
}
