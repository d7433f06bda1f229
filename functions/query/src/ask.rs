//! `POST /api/mcp/query`.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use lmo_shared::{
    answer::{Answers, Completion, Options},
    auth::Caller,
    clock::Clock,
    error::Error,
    http::{AskRequest, Body, Cost, Errors, Handled, answer_fields},
    id::RequestId,
    llm::{FinishReason, ToolCall, Usage},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An answer in one piece.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QueryResponse {
    /// The request's id.
    pub id: RequestId,
    /// The model that answered.
    pub model: String,
    /// The answer's text; null if the model only calls tools.
    pub content: Option<String>,
    /// Tools that the model wants to be called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Why the answer ended.
    pub finish_reason: FinishReason,
    /// The tokens that are charged.
    pub usage: Usage,
    /// Whether LMO counted the tokens, because the provider reported none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// What they cost.
    pub cost: Cost,
}

/// Asks a model and returns its whole answer.
///
/// The answer is returned once it is recorded for billing. The worst that it can cost is held while it is made, and
/// what was not used is given back.
#[utoipa::path(
    post,
    path = "/api/mcp/query",
    operation_id = "query",
    tag = "query",
    request_body = AskRequest,
    responses((status = 200, description = "The answer", body = QueryResponse), Errors)
)]
pub(super) async fn ask(
    caller: Caller,
    State(answers): State<Answers>,
    State(clock): State<Clock>,
    options: Options,
    Body(request): Body<AskRequest>,
) -> Handled<Response> {
    let answer = answers.answer(&caller, request.into_ask(false, options)?).await?;
    let (id, model, fields) = (answer.id, answer.model.clone(), answer_fields(&answer, clock.now()));
    let response = response(id, model, answer.collect().await?)?;
    let mut response = Json(response).into_response();
    response.headers_mut().extend(fields);
    Ok(response)
}

fn response(id: RequestId, model: String, completion: Completion) -> Result<QueryResponse, Error> {
    let done = completion.done.ok_or_else(|| Error::internal("a completion without its end"))?;
    let choice = completion.choices.into_iter().next().unwrap_or_default();
    Ok(QueryResponse {
        id,
        model,
        content: choice.text,
        tool_calls: choice.tool_calls,
        finish_reason: choice.finish.unwrap_or(FinishReason::Stop),
        usage: done.usage,
        estimated: done.estimated,
        cost: done.cost.into(),
    })
}
