//! `GET /v1/models`.

use axum::{Json, extract::State};
use lmo_shared::{
    answer::Answers,
    auth::Caller,
    http::{Errors, Handled},
    llm::catalogue::{Capability, Model},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The models that the caller may use, in `OpenAI`'s shape.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModelList {
    /// `list`.
    pub object: String,
    /// The models, by name; aliases too.
    pub data: Vec<ModelEntry>,
}

/// A model or an alias of one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModelEntry {
    /// What a request calls it.
    pub id: String,
    /// `model`.
    pub object: String,
    /// From when this version of the catalogue holds, in seconds since the epoch.
    pub created: u64,
    /// The provider.
    pub owned_by: String,
    /// The most tokens of prompt and answer together.
    pub context_window: u64,
    /// The most tokens of an answer.
    pub max_output_tokens: u64,
    /// What it can do: one that can't `chat` is asked for vectors (`embed`).
    pub capabilities: Vec<Capability>,
}

/// Lists the models that the caller may use.
#[utoipa::path(
    get,
    path = "/v1/models",
    operation_id = "listModels",
    tag = "openai",
    responses((status = 200, description = "The models", body = ModelList), Errors)
)]
pub(super) async fn list(caller: Caller, State(answers): State<Answers>) -> Handled<Json<ModelList>> {
    let catalogue = answers.catalogues().current().await?;
    let entry = |(id, model): (&str, &Model)| ModelEntry {
        id: id.to_owned(),
        object: "model".to_owned(),
        created: catalogue.effective.seconds(),
        owned_by: model.provider.clone(),
        context_window: model.context_window,
        max_output_tokens: model.max_output_tokens,
        capabilities: model.capabilities.clone(),
    };
    let data = caller.access().models(&catalogue).map(entry).collect();
    Ok(Json(ModelList { object: "list".to_owned(), data }))
}
