//! `POST /v1/messages/count_tokens`.

use axum::{Json, extract::State};
use lmo_shared::{
    answer::Answers,
    auth::Caller,
    error::Result,
    http::{Body, Errors, Handled},
    llm::{Fields, Prompt, catalogue::Model},
    money::Tokens,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    request::{self, Asked},
    schema::CountRequest,
};

/// How many tokens a prompt has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenCount {
    /// LMO's estimate.
    pub input_tokens: Tokens,
}

/// Estimates the tokens of a prompt.
///
/// The estimate is LMO's own, by rule of thumb (a token for four bytes of text, and the catalogue's figure for each image
/// and document); the model's provider is not asked, and nothing is billed. What a message took is in its `usage`.
#[utoipa::path(
    post,
    path = "/v1/messages/count_tokens",
    operation_id = "countMessageTokens",
    tag = "anthropic",
    request_body = CountRequest,
    responses((status = 200, description = "The estimate", body = TokenCount), Errors)
)]
pub(crate) async fn count_tokens(
    caller: Caller,
    State(answers): State<Answers>,
    Body(fields): Body<Fields>,
) -> Handled<Json<TokenCount>> {
    let Asked { model, prompt, .. } = request::read(fields)?;
    let catalogue = answers.catalogues().current().await?;
    let (_, spec) = caller.access().model(&catalogue, &model)?;
    Ok(Json(TokenCount { input_tokens: estimate(spec, &prompt)? }))
}

/// The estimate of the text, and the figures of whatever else there is. A catalogue without a figure for documents holds
/// a whole window for each, which is no estimate: they aren't counted then.
fn estimate(spec: &Model, prompt: &Prompt) -> Result<Tokens> {
    let document = if spec.document_tokens < spec.context_window { spec.document_tokens } else { 0 };
    let with = prompt.upper_bound(Tokens::ZERO, Tokens(spec.image_tokens), Tokens(document));
    let without = prompt.upper_bound(Tokens::ZERO, Tokens::ZERO, Tokens::ZERO);
    prompt.estimated_tokens().plus(with.minus_or_zero(without))
}
