//! `POST /v1/responses`: `OpenAI`'s newer wire format (API reference, "Create a model response"). LMO keeps no
//! responses: each request carries its whole conversation, and every response says `store: false`.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use lmo_shared::{
    answer::{Answers, Ask, Options},
    auth::Caller,
    clock::Clock,
    http::{Body, Errors, Handled, answer_fields, sse},
};
use request::ResponseRequest;

mod conversation;
mod events;
mod item;
mod object;
mod output;
mod parts;
mod request;
mod response;
mod schema;
#[cfg(test)]
mod tests;
mod tools;

/// Answers as `OpenAI`'s Responses API does, streamed or not.
///
/// Nothing is kept: `previous_response_id`, `conversation` and `background` are refused, and `store` is always `false`
/// in the response. Tools are functions and custom tools of the client's own; those that a provider would run are
/// refused. A provider of the same format gets the request, and the client its events, as they are but for model,
/// limit and id.
#[utoipa::path(
    post,
    path = "/v1/responses",
    operation_id = "createResponse",
    tag = "openai",
    request_body = ResponseRequest,
    responses(
        (status = 200, description = "A response, or server-sent events with `stream: true`", content(
            (Object = "application/json"), (String = "text/event-stream")
        )),
        Errors
    )
)]
pub(super) async fn create(
    caller: Caller,
    State(answers): State<Answers>,
    State(clock): State<Clock>,
    options: Options,
    Body(request): Body<ResponseRequest>,
) -> Handled<Response> {
    let echo = request.echo();
    let ask = Ask { options, ..request.into_ask()? };
    let stream = ask.stream;
    let answer = answers.answer(&caller, ask).await?;
    let head = response::Head::of(&answer, echo);
    let now = clock.now();
    if stream {
        return Ok(sse::respond(answer, events::Events::new(head), now));
    }
    let fields = answer_fields(&answer, now);
    let mut response = Json(response::whole(&head, answer.collect().await?)?).into_response();
    response.headers_mut().extend(fields);
    Ok(response)
}
