//! `models.batchEmbedContents` of Google's Gemini API (API reference, "Embeddings").

use serde::{Deserialize, Serialize};

use super::{EmbedCall, EmbedKind, Embedded, json, parsed, texts};
use crate::{
    llm::{ProviderError, format::WireRequest},
    money::Tokens,
};

/// "at most 100 requests can be in one batch".
pub(super) const MOST_INPUTS: usize = 100;

#[derive(Serialize)]
struct Body<'a> {
    requests: Vec<Request<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    model: &'a str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
}

#[derive(Serialize)]
struct Content<'a> {
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
}

/// Writes a call. A caller's `user` is left out: it is a hint that Gemini doesn't take.
pub(super) fn request(call: &EmbedCall<'_>) -> Result<WireRequest, ProviderError> {
    let name = call.model.trim_start_matches("models/");
    let model = format!("models/{name}");
    let task_type = call.kind.map(|kind| match kind {
        EmbedKind::Document => "RETRIEVAL_DOCUMENT",
        EmbedKind::Query => "RETRIEVAL_QUERY",
    });
    let request = |text| Request {
        model: &model,
        content: Content { parts: [Part { text }] },
        task_type,
        output_dimensionality: call.dimensions,
    };
    let body = json(&Body { requests: texts(call)?.into_iter().map(request).collect() })?;
    Ok(WireRequest::new(["models", &format!("{name}:batchEmbedContents")], body))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    embeddings: Vec<Embedding>,
    usage_metadata: Option<UsageMetadata>,
}

#[derive(Deserialize)]
struct Embedding {
    #[serde(default)]
    values: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsageMetadata {
    prompt_token_count: Option<u64>,
}

/// Reads an answer. Older models report no tokens.
pub(super) fn read(body: &[u8]) -> Result<Embedded, ProviderError> {
    let answer: Answer = parsed(body)?;
    let vectors = answer.embeddings.into_iter().map(|embedding| embedding.values).collect();
    let count = answer.usage_metadata.and_then(|usage| usage.prompt_token_count);
    Ok(Embedded { vectors, input_tokens: count.map(Tokens) })
}
