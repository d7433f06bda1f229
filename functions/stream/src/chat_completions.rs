//! `POST /v1/chat/completions`: `OpenAI`'s wire format (API reference, "Create chat completion").

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use lmo_shared::{
    answer::{Answers, Options},
    auth::Caller,
    clock::Clock,
    http::{Body, Errors, Handled, answer_fields, sse},
};
use request::ChatRequest;

mod request;
mod response;

/// Answers a chat as `OpenAI`'s API does, streamed or not.
///
/// Fields that LMO doesn't know reach the provider as they are, and the provider's reach the client.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    operation_id = "createChatCompletion",
    tag = "openai",
    request_body = ChatRequest,
    responses(
        (status = 200, description = "A chat completion, or server-sent events of its chunks with `stream: true`", content(
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
    Body(request): Body<ChatRequest>,
) -> Handled<Response> {
    let shows_usage = request.shows_usage();
    let ask = request.into_ask(options)?;
    let stream = ask.stream;
    let answer = answers.answer(&caller, ask).await?;
    let head = response::Head::of(&answer);
    let now = clock.now();
    if stream {
        return Ok(sse::respond(answer, response::Chunks::new(head, shows_usage), now));
    }
    let fields = answer_fields(&answer, now);
    let mut response = Json(response::whole(&head, answer.collect().await?)?).into_response();
    response.headers_mut().extend(fields);
    Ok(response)
}
