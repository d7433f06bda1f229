//! `POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's wire format (API reference, "Messages" and "Count
//! Message tokens").

use axum::{
    Extension, Json,
    extract::State,
    http::HeaderName,
    response::{IntoResponse, Response},
};
use lmo_shared::{
    answer::{Answers, Ask, Options},
    auth::Caller,
    clock::Clock,
    http::{Body, Errors, Handled, RequestLabel, answer_fields, sse},
    llm::Fields,
};
use schema::MessagesRequest;

mod blocks;
mod content;
pub(super) mod count;
mod node;
mod pieces;
mod request;
mod response;
mod schema;
mod stop;
mod stream;
mod tools;

/// Where Anthropic's clients look for the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Answers a conversation as Anthropic's API does, streamed or not.
///
/// A model whose provider speaks this format gets the body as it is, but for model, output limit and stream, and the
/// client what the provider says. Any other gets it in its own words; what it can't say is refused. Server tools, beta
/// features and parameters that change the price are refused.
#[utoipa::path(
    post,
    path = "/v1/messages",
    operation_id = "createMessage",
    tag = "anthropic",
    request_body = MessagesRequest,
    responses(
        (status = 200, description = "A message, or server-sent events of it with `stream: true`", content(
            (Object = "application/json"), (String = "text/event-stream")
        )),
        Errors
    )
)]
pub(super) async fn create(
    caller: Caller,
    State(answers): State<Answers>,
    State(clock): State<Clock>,
    Extension(label): Extension<RequestLabel>,
    options: Options,
    Body(fields): Body<Fields>,
) -> Handled<Response> {
    let ask = Ask { options, ..request::ask(fields)? };
    let streamed = ask.stream;
    let answer = answers.answer(&caller, ask).await?;
    let head = response::Head::of(&answer);
    let now = clock.now();
    let id = (REQUEST_ID, label.value());
    let mut response = if streamed {
        sse::respond(answer, stream::Events::new(head, label), now)
    } else {
        let fields = answer_fields(&answer, now);
        let mut response = Json(response::whole(&head, answer.collect().await?)?).into_response();
        response.headers_mut().extend(fields);
        response
    };
    response.headers_mut().extend([id]);
    Ok(response)
}

#[cfg(test)]
mod tests;
