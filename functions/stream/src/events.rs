//! `GET` and `POST /api/mcp/stream`: LMO's own events.

use axum::{extract::State, response::Response};
use lmo_shared::{
    answer::{Answers, Ask, Event, Options},
    auth::Caller,
    clock::Clock,
    error::{Error, Result},
    http::{
        AskRequest, Body, Errors, Handled, OwnEvents, Params,
        sse::{self, Encoder, Frames},
    },
};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

/// A question in a query string.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The question.
    query: String,
    /// A model or alias of the catalogue; the tenant's default if absent.
    model: Option<String>,
    /// Sampling temperature, 0 to 2.
    temperature: Option<f64>,
    /// The most tokens of the answer.
    max_tokens: Option<u64>,
}

/// Asks a model and streams its answer.
///
/// Events, each with an `id` that counts from 0: `delta` `{choice, text}` (and fields of the provider's own),
/// `tool_call` `{choice, index, id?, name?, arguments}` with pieces of the arguments' JSON text, `usage`, `done`
/// `{id, model, finish_reason, cost}`, or `error` `{code, detail, retryable}`. After 15 s of silence comes a comment.
/// An answer whose client leaves ends at its provider too; what was received is charged.
#[utoipa::path(
    post,
    path = "/api/mcp/stream",
    operation_id = "stream",
    tag = "query",
    request_body = AskRequest,
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"), Errors)
)]
pub(super) async fn post(
    caller: Caller,
    State(answers): State<Answers>,
    State(clock): State<Clock>,
    options: Options,
    Body(request): Body<AskRequest>,
) -> Handled<Response> {
    stream(&caller, &answers, &clock, request.into_ask(true, options)?).await
}

/// Asks a model and streams its answer, for a question that fits into a query string.
#[utoipa::path(
    get,
    path = "/api/mcp/stream",
    operation_id = "streamQuestion",
    tag = "query",
    params(Question),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"), Errors)
)]
pub(super) async fn get(
    caller: Caller,
    State(answers): State<Answers>,
    State(clock): State<Clock>,
    options: Options,
    Params(question): Params<Question>,
) -> Handled<Response> {
    let Question { query, model, temperature, max_tokens } = question;
    let request = AskRequest { query: Some(query), model, temperature, max_tokens, ..AskRequest::default() };
    stream(&caller, &answers, &clock, request.into_ask(true, options)?).await
}

async fn stream(caller: &Caller, answers: &Answers, clock: &Clock, ask: Ask) -> Handled<Response> {
    let answer = answers.answer(caller, ask).await?;
    let encoder = Own { events: OwnEvents::of(&answer), next: 0 };
    Ok(sse::respond(answer, encoder, clock.now()))
}

/// LMO's own events.
struct Own {
    events: OwnEvents,
    next: u64,
}

impl Encoder for Own {
    fn encode(&mut self, event: Result<Event>, out: &mut Frames) {
        let Self { events, next } = self;
        match event {
            Ok(event) => events.read(event, |event| {
                out.event(event.name(), *next, &event);
                *next += 1;
            }),
            // It is the last.
            Err(error) => out.event("error", *next, &problem(&error)),
        }
    }
}

fn problem(error: &Error) -> serde_json::Value {
    json!({"code": error.code(), "detail": error.to_string(), "retryable": error.is_retryable()})
}
