//! `GET` and `POST /api/mcp/stream`: LMO's own events.

use axum::{extract::State, response::Response};
use lmo_shared::{
    answer::{Answers, Ask, Event, Options},
    auth::Caller,
    clock::Clock,
    error::{Error, Result},
    http::{
        AskRequest, Body, Cost, Errors, Handled, Params,
        sse::{self, Encoder, Frames},
    },
    id::RequestId,
    llm::{Chunk, Fields, FinishReason, ToolCallDelta},
};
use serde::{Deserialize, Serialize};
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
    let encoder = Own { id: answer.id, model: answer.model.clone(), next: 0, finish: None };
    Ok(sse::respond(answer, encoder, clock.now()))
}

/// A piece of the answer's text.
#[derive(Serialize)]
struct Piece {
    choice: u32,
    text: String,
    #[serde(flatten)]
    extra: Fields,
}

/// A piece of a tool call.
#[derive(Serialize)]
struct CallPiece {
    choice: u32,
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    arguments: String,
}

/// LMO's own events.
struct Own {
    id: RequestId,
    model: String,
    next: u64,
    finish: Option<FinishReason>,
}

impl Own {
    fn event(&mut self, name: &str, data: &impl Serialize, out: &mut Frames) {
        out.event(name, self.next, data);
        self.next += 1;
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut Frames) {
        for delta in chunk.choices {
            // Providers begin with an empty text, and put nulls beside it.
            let text = delta.text.unwrap_or_default();
            let extra: Fields = delta.message_extra.into_iter().filter(|(_, value)| !value.is_null()).collect();
            if !text.is_empty() || !extra.is_empty() {
                self.event("delta", &Piece { choice: delta.choice, text, extra }, out);
            }
            for call in delta.tool_calls {
                let ToolCallDelta { index, id, name, arguments, .. } = call;
                self.event("tool_call", &CallPiece { choice: delta.choice, index, id, name, arguments }, out);
            }
            self.finish = delta.finish.or(self.finish.take());
        }
    }
}

impl Encoder for Own {
    fn encode(&mut self, event: Result<Event>, out: &mut Frames) {
        match event {
            Ok(Event::Chunk(chunk)) => self.chunk(chunk, out),
            Ok(Event::Done(done)) => {
                let mut usage = json!(done.usage);
                usage["estimated"] = done.estimated.into();
                self.event("usage", &usage, out);
                let finish = self.finish.take().unwrap_or(FinishReason::Stop);
                let cost = Cost::from(done.cost);
                let end = json!({"id": self.id, "model": self.model, "finish_reason": finish, "cost": cost});
                self.event("done", &end, out);
            }
            Err(error) => self.event("error", &problem(&error), out),
        }
    }
}

fn problem(error: &Error) -> serde_json::Value {
    json!({"code": error.code(), "detail": error.to_string(), "retryable": error.is_retryable()})
}
