//! The client formats alone, without the pipeline between a request and its answer, so that a benchmark can measure
//! them. Each function does what its route's handler does: it reads a body, and makes what writes a streamed answer.

use lmo_shared::{
    answer::Ask,
    error::{Error, Result},
    http::sse::Encoder,
    id::RequestId,
};
use serde::de::DeserializeOwned;

/// Reads a body of `POST /v1/chat/completions`; with it comes what writes the answer `id` of `model`.
///
/// # Errors
/// What the route refuses.
pub fn chat_completions(body: &[u8], id: RequestId, model: &str) -> Result<(Ask, impl Encoder + use<>)> {
    crate::chat_completions::translator(parse(body)?, id, model)
}

/// Reads a body of `POST /v1/messages`; with it comes what writes the answer `id` of `model`.
///
/// # Errors
/// What the route refuses.
pub fn messages(body: &[u8], id: RequestId, model: &str) -> Result<(Ask, impl Encoder + use<>)> {
    crate::messages::translator(parse(body)?, id, model)
}

/// Reads a body of `POST /v1/responses`; with it comes what writes the answer `id` of `model`.
///
/// # Errors
/// What the route refuses.
pub fn responses(body: &[u8], id: RequestId, model: &str) -> Result<(Ask, impl Encoder + use<>)> {
    crate::responses::translator(parse(body)?, id, model)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| Error::BadJson(error.to_string()))
}
