//! Cohere by Bedrock's `InvokeModel` (Bedrock user guide, "Cohere Embed v3" and "Cohere Embed v4").

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::{EmbedCall, EmbedKind, Embedded, counted_by_bedrock, json, parsed, texts};
use crate::llm::{ProviderError, format::WireRequest};

/// "Texts per call: maximum 96".
pub(super) const MOST_INPUTS: usize = 96;

#[derive(Serialize)]
struct Body<'a> {
    texts: Vec<&'a str>,
    input_type: &'static str,
    embedding_types: [&'static str; 1],
    /// A text that is too long is an error and not a vector of its beginning.
    truncate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<u32>,
}

/// Writes a call. Cohere must be told what the vectors are for; a caller who doesn't say it stores them.
pub(super) fn request(call: &EmbedCall<'_>) -> Result<WireRequest, ProviderError> {
    if call.dimensions.is_some() && call.model.contains("-v3") {
        return Err(ProviderError::unsupported("dimensions", "this model's vectors have one length only"));
    }
    let body = Body {
        texts: texts(call)?,
        input_type: match call.kind {
            Some(EmbedKind::Document) | None => "search_document",
            Some(EmbedKind::Query) => "search_query",
        },
        embedding_types: ["float"],
        truncate: "NONE",
        output_dimension: call.dimensions,
    };
    Ok(WireRequest::new(["model", call.model, "invoke"], json(&body)?))
}

#[derive(Deserialize)]
struct Answer {
    embeddings: Embeddings,
}

/// By type since v3 knows types, and bare before.
#[derive(Deserialize)]
#[serde(untagged)]
enum Embeddings {
    ByType { float: Vec<Vec<f32>> },
    Floats(Vec<Vec<f32>>),
}

/// Reads an answer. Bedrock tells the tokens beside it.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Embedded, ProviderError> {
    let answer: Answer = parsed(body)?;
    let (Embeddings::ByType { float: vectors } | Embeddings::Floats(vectors)) = answer.embeddings;
    Ok(Embedded { vectors, input_tokens: counted_by_bedrock(headers) })
}
