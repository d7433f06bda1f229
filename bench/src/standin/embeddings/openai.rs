//! `OpenAI`'s embeddings.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{EmbeddingRequest, Shape, embedding, numbers, wrong_dimensions};
use crate::standin::body::{Flaw, Kind, Object};

/// The most texts in one request.
const MOST: usize = 2048;

pub(super) fn read(body: &Value) -> Result<EmbeddingRequest, Flaw> {
    let root = Object::root(body)?;
    root.only(&["model", "input", "dimensions", "encoding_format", "user"])?;
    let model = root.need("model", root.text("model")?)?.to_owned();
    let texts = texts(root.need("input", root.value("input"))?)?;
    if texts.is_empty() || texts.len() > MOST {
        return Err(Flaw::Other {
            message: format!("Invalid 'input': expected between 1 and {MOST} entries, but got {}.", texts.len()),
            path: Some("input".into()),
            code: None,
        });
    }
    if texts.iter().any(String::is_empty) {
        let message = "Invalid 'input': input cannot be an empty string.".into();
        return Err(Flaw::Other { message, path: Some("input".into()), code: None });
    }
    let most = if model.contains("text-embedding-3-large") { 3072 } else { 1536 };
    let wanted = root.count("dimensions")?.unwrap_or(most);
    let dimensions = usize::try_from(wanted).ok().filter(|_| (1..=most).contains(&wanted));
    let base64 = match root.text("encoding_format")? {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            return Err(Flaw::Other {
                message: format!("Invalid value: '{other}'. Supported values are: 'float' and 'base64'."),
                path: Some("encoding_format".into()),
                code: Some("invalid_value"),
            });
        }
    };
    Ok(EmbeddingRequest {
        model,
        texts,
        dimensions: dimensions
            .ok_or_else(|| wrong_dimensions("dimensions", wanted, &format!("an integer from 1 to {most}")))?,
        shape: Shape::OpenAi { base64 },
    })
}

pub(super) fn body(request: &EmbeddingRequest, base64: bool, tokens: Option<u64>) -> Value {
    let one = |(index, text): (usize, &String)| {
        let vector = embedding(text, request.dimensions);
        let vector = if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            BASE64_STANDARD.encode(bytes).into()
        } else {
            numbers(&vector)
        };
        json!({ "object": "embedding", "index": index, "embedding": vector })
    };
    let data: Vec<_> = request.texts.iter().enumerate().map(one).collect();
    let mut body = json!({ "object": "list", "data": data, "model": request.model });
    if let Some(tokens) = tokens {
        body["usage"] = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    }
    body
}

/// One text or more, each as a string or as tokens; a token counts as a word.
fn texts(input: &Value) -> Result<Vec<String>, Flaw> {
    match input {
        Value::Array(items) if items.iter().any(Value::is_number) => Ok(vec![text(input, "input")?]),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| text(item, &format!("input.{index}"))).collect()
        }
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(wrong("input")),
    }
}

fn text(input: &Value, path: &str) -> Result<String, Flaw> {
    match input {
        Value::String(text) => Ok(text.clone()),
        Value::Array(tokens) => {
            let tokens = tokens.iter().map(|token| token.as_u64().map(|token| token.to_string()));
            let tokens: Vec<_> = tokens.collect::<Option<_>>().ok_or_else(|| wrong(path))?;
            Ok(tokens.join(" "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(wrong(path)),
    }
}

fn wrong(path: &str) -> Flaw {
    Flaw::Type { path: path.to_owned(), expected: Kind::Text }
}
