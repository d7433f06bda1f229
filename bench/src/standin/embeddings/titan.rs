//! Amazon Titan Text Embeddings on Bedrock, one text at a time.

use serde_json::{Value, json};

use super::{EmbeddingRequest, Shape, embedding, numbers, vector, wrong_dimensions};
use crate::standin::body::{Flaw, Object};

/// Which kinds of vectors are in `embeddingsByType`; the first version of the model doesn't have it.
#[derive(Clone, Copy)]
pub(super) enum Types {
    None,
    Float,
    Binary,
    Both,
}

pub(super) fn read(model: &str, body: &Value) -> Result<EmbeddingRequest, Flaw> {
    let root = Object::root(body)?;
    let is_first = model.contains("titan-embed-text-v1");
    root.only(if is_first { &["inputText"] } else { &["inputText", "dimensions", "normalize", "embeddingTypes"] })?;
    let text = root.text("inputText")?.ok_or_else(|| malformed("#: required key [inputText] not found"))?;
    if text.is_empty() {
        return Err(malformed("expected minLength: 1, actual: 0"));
    }
    let dimensions = match root.count("dimensions")? {
        None if is_first => 1536,
        None | Some(1024) => 1024,
        Some(512) => 512,
        Some(256) => 256,
        Some(other) => return Err(wrong_dimensions("dimensions", other, "256, 512 or 1024")),
    };
    let types = match root.texts("embeddingTypes")? {
        None if is_first => Types::None,
        None => Types::Float,
        Some(types) => match types.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["float"] => Types::Float,
            ["binary"] => Types::Binary,
            ["float", "binary"] | ["binary", "float"] => Types::Both,
            _ => return Err(malformed("#/embeddingTypes: only float and binary are valid enum values")),
        },
    };
    let normalize = root.value("normalize").is_none() || root.flag("normalize")?;
    let shape = Shape::Titan { normalize, types };
    Ok(EmbeddingRequest { model: model.to_owned(), texts: vec![text.to_owned()], dimensions, shape })
}

pub(super) fn body(request: &EmbeddingRequest, normalize: bool, types: Types, tokens: Option<u64>) -> Value {
    let text = request.texts.concat();
    let vector = if normalize { embedding } else { vector::sum }(&text, request.dimensions);
    let bits = || vector.iter().map(|number| Value::from(u8::from(*number > 0.0))).collect::<Value>();
    let by_type = match types {
        Types::None => None,
        Types::Float => Some(json!({ "float": numbers(&vector) })),
        Types::Binary => Some(json!({ "binary": bits() })),
        Types::Both => Some(json!({ "binary": bits(), "float": numbers(&vector) })),
    };
    let mut body = json!({ "embedding": numbers(&vector) });
    if let Some(by_type) = by_type {
        body["embeddingsByType"] = by_type;
    }
    if let Some(tokens) = tokens {
        body["inputTextTokenCount"] = tokens.into();
    }
    body
}

fn malformed(problem: &str) -> Flaw {
    Flaw::other(format!("Malformed input request: {problem}, please reformat your input and try again."))
}
