//! Cohere Embed on Bedrock, versions 3 and 4. Of the vectors' types there are only floating-point numbers.

use serde_json::{Value, json};

use super::{EmbeddingRequest, Shape, embedding, numbers, wrong_dimensions};
use crate::standin::body::{Flaw, Object};
use crate::standin::vendor::uuid;

/// The most texts in one request.
const MOST: usize = 96;

pub(super) fn read(model: &str, body: &Value) -> Result<EmbeddingRequest, Flaw> {
    let root = Object::root(body)?;
    root.only(&["texts", "input_type", "truncate", "embedding_types", "output_dimension", "max_tokens"])?;
    let texts = root.texts("texts")?.ok_or_else(|| malformed("#: required key [texts] not found"))?;
    if texts.is_empty() || texts.len() > MOST {
        return Err(malformed(&format!("#/texts: expected between 1 and {MOST} items, found: {}", texts.len())));
    }
    match root.text("input_type")? {
        Some("search_document" | "search_query" | "classification" | "clustering") => {}
        None => return Err(malformed("#: required key [input_type] not found")),
        Some(other) => return Err(malformed(&format!("#/input_type: {other} is not a valid enum value"))),
    }
    match root.text("truncate")? {
        None | Some("NONE" | "START" | "END" | "LEFT" | "RIGHT") => {}
        Some(other) => return Err(malformed(&format!("#/truncate: {other} is not a valid enum value"))),
    }
    let types = root.texts("embedding_types")?;
    if types.as_ref().is_some_and(|types| types != &["float"]) {
        return Err(malformed("#/embedding_types: the stand-in has float alone"));
    }
    let sizes: &[usize] = if model.contains("embed-v4") { &[1536, 1024, 512, 256] } else { &[1024] };
    let wanted = root.count("output_dimension")?;
    let dimensions = match wanted.map(usize::try_from) {
        None => sizes.first().copied(),
        Some(wanted) => wanted.ok().filter(|wanted| sizes.contains(wanted)),
    };
    let wrong = || wrong_dimensions("output_dimension", wanted.unwrap_or_default(), &format!("one of {sizes:?}"));
    let shape = Shape::Cohere { by_type: types.is_some() };
    Ok(EmbeddingRequest { model: model.to_owned(), texts, dimensions: dimensions.ok_or_else(wrong)?, shape })
}

pub(super) fn body(request: &EmbeddingRequest, by_type: bool, number: u64) -> Value {
    let vectors: Value = request.texts.iter().map(|text| numbers(&embedding(text, request.dimensions))).collect();
    let (embeddings, kind) =
        if by_type { (json!({ "float": vectors }), "embeddings_by_type") } else { (vectors, "embeddings_floats") };
    json!({ "embeddings": embeddings, "id": uuid(number), "response_type": kind, "texts": request.texts })
}

fn malformed(problem: &str) -> Flaw {
    Flaw::other(format!("Malformed input request: {problem}, please reformat your input and try again."))
}
