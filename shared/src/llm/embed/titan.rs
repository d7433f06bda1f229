//! Amazon Titan by Bedrock's `InvokeModel` (Bedrock user guide, "Amazon Titan Embeddings" and "Amazon Titan Multimodal
//! Embeddings").

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::{EmbedCall, Embedded, counted_by_bedrock, json, parsed, texts};
use crate::{
    llm::{ProviderError, format::WireRequest},
    money::Tokens,
};

/// It takes one text.
pub(super) const MOST_INPUTS: usize = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    input_text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding_config: Option<EmbeddingConfig>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EmbeddingConfig {
    output_embedding_length: u32,
}

/// Writes a call. What the vector is for is left out: Titan makes the same of both.
pub(super) fn request(call: &EmbedCall<'_>) -> Result<WireRequest, ProviderError> {
    let &[input_text] = texts(call)?.as_slice() else {
        return Err(ProviderError::unsupported("input", "Titan takes one text at a time"));
    };
    let mut body = Body { input_text, dimensions: None, embedding_config: None };
    if call.model.contains("titan-embed-image") {
        body.embedding_config = call.dimensions.map(|length| EmbeddingConfig { output_embedding_length: length });
    } else if call.model.contains("titan-embed-text-v1") || call.model.contains("titan-embed-g1") {
        if call.dimensions.is_some() {
            return Err(ProviderError::unsupported("dimensions", "this model's vectors have one length only"));
        }
    } else {
        body.dimensions = call.dimensions;
    }
    Ok(WireRequest::new(["model", call.model, "invoke"], json(&body)?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    embedding: Vec<f32>,
    input_text_token_count: Option<u64>,
}

/// Reads an answer.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Embedded, ProviderError> {
    let answer: Answer = parsed(body)?;
    let count = answer.input_text_token_count.map(Tokens);
    Ok(Embedded { vectors: vec![answer.embedding], input_tokens: count.or_else(|| counted_by_bedrock(headers)) })
}
