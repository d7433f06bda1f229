//! Gemini's embeddings, several texts at once. Tokens are not reported.

use serde_json::{Value, json};

use super::{EmbeddingRequest, Shape, embedding, numbers, wrong_dimensions};
use crate::standin::body::{Flaw, Object};

/// The most texts in one request.
const MOST: usize = 100;

pub(super) fn read(model: &str, body: &Value) -> Result<EmbeddingRequest, Flaw> {
    let root = Object::root(body)?;
    root.only(&["requests"])?;
    let requests = root.some_objects("requests")?;
    if requests.len() > MOST {
        return Err(Flaw::other(format!(
            "* BatchEmbedContentsRequest.requests: at most {MOST} requests can be in one batch\n"
        )));
    }
    let most = if model.contains("text-embedding-004") || model.contains("embedding-001") && !model.contains("gemini") {
        768
    } else {
        3072
    };
    let (mut texts, mut dimensions) = (Vec::with_capacity(requests.len()), most);
    for request in &requests {
        request.only(&["model", "content", "taskType", "title", "outputDimensionality"])?;
        let named = request.need("model", request.text("model")?)?;
        if named != format!("models/{model}") {
            return Err(Flaw::other(
                "* BatchEmbedContentsRequest.requests: the model of each request must match the batch's\n",
            ));
        }
        let content = request.need("content", request.object("content")?)?;
        let mut text = String::new();
        for part in content.some_objects("parts")? {
            text.push_str(part.need("text", part.text("text")?)?);
        }
        texts.push(text);
        dimensions = request.count("outputDimensionality")?.unwrap_or(most);
    }
    if !(1..=most).contains(&dimensions) {
        return Err(wrong_dimensions("outputDimensionality", dimensions, &format!("1 to {most}")));
    }
    Ok(EmbeddingRequest {
        model: model.to_owned(),
        texts,
        dimensions: usize::try_from(dimensions).unwrap_or_default(),
        shape: Shape::Gemini,
    })
}

pub(super) fn body(request: &EmbeddingRequest) -> Value {
    let one = |text: &String| json!({ "values": numbers(&embedding(text, request.dimensions)) });
    json!({ "embeddings": request.texts.iter().map(one).collect::<Vec<_>>() })
}
