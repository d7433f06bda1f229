//! `POST /embeddings` of `OpenAI` (API reference, "Create embeddings") and of the servers that speak its format: vLLM,
//! Ollama, llama.cpp, TEI and many more.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_json::Value;

use super::{EmbedCall, EmbedInput, Embedded, encoding::from_base64, json, parsed};
use crate::{
    llm::{ProviderError, format::WireRequest},
    money::Tokens,
};

/// What `OpenAI` takes. A server that takes fewer says so itself.
pub(super) const MOST_INPUTS: usize = 2048;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: Inputs<'a>,
    /// The official clients ask for it too, so whoever doesn't know it ignores it.
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Inputs<'a> {
    Texts(Vec<&'a str>),
    Tokens(Vec<&'a [u32]>),
}

/// Writes a call.
pub(super) fn request(call: &EmbedCall<'_>) -> Result<WireRequest, ProviderError> {
    let (mut texts, mut tokens) = (Vec::new(), Vec::new());
    for input in call.inputs {
        match input {
            EmbedInput::Text(text) => texts.push(text.as_str()),
            EmbedInput::Tokens(list) => tokens.push(list.as_slice()),
        }
    }
    if !texts.is_empty() && !tokens.is_empty() {
        return Err(ProviderError::unsupported("input", "texts and lists of tokens can't be in one request"));
    }
    let input = if tokens.is_empty() { Inputs::Texts(texts) } else { Inputs::Tokens(tokens) };
    let EmbedCall { model, dimensions, user, .. } = *call;
    let body = json(&Body { model, input, encoding_format: "base64", dimensions, user })?;
    Ok(WireRequest::new(["embeddings"], body))
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Vec<Entry>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Entry {
    index: Option<usize>,
    embedding: Vector,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

/// Reads an answer. Its vectors may come in any order, each with its index.
pub(super) fn read(inputs: usize, body: &[u8]) -> Result<Embedded, ProviderError> {
    let answer: Answer = parsed(body)?;
    if let Some(error) = answer.error.filter(|error| !error.is_null()) {
        return Err(ProviderError::InStream { message: error.to_string() });
    }
    let mut vectors = vec![None; inputs];
    for (position, entry) in answer.data.into_iter().enumerate() {
        let index = entry.index.unwrap_or(position);
        let place = vectors.get_mut(index).filter(|place| place.is_none());
        let place = place.ok_or_else(|| ProviderError::Malformed(format!("a second or surplus vector {index}")))?;
        *place = Some(entry.embedding.0);
    }
    let vectors: Option<Vec<_>> = vectors.into_iter().collect();
    let vectors = vectors.ok_or_else(|| ProviderError::Malformed("an input without its vector".to_owned()))?;
    let count = answer.usage.and_then(|usage| usage.prompt_tokens.or(usage.total_tokens));
    // Servers that don't count say 0.
    Ok(Embedded { vectors, input_tokens: count.filter(|count| *count > 0).map(Tokens) })
}

/// A vector in any of the forms that it is sent in: base64, numbers, or (llama-cpp-python, for a model without pooling)
/// the vectors of all tokens. Their mean is what mean pooling, the usual one, makes of them.
struct Vector(Vec<f32>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Number(f32),
    OfToken(Vec<f32>),
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Vector;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vector as numbers or base64")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vector, E> {
                from_base64(text).map(Vector).ok_or_else(|| E::custom("a vector that is not base64 of 32-bit floats"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vector, A::Error> {
                let (mut numbers, mut of_tokens) = (Vec::new(), Vec::new());
                while let Some(item) = items.next_element()? {
                    match item {
                        Item::Number(number) => numbers.push(number),
                        Item::OfToken(vector) => of_tokens.push(vector),
                    }
                }
                match (numbers.is_empty(), of_tokens.is_empty()) {
                    (_, true) => Ok(Vector(numbers)),
                    (true, false) => mean(&of_tokens).map(Vector).ok_or_else(|| A::Error::custom("uneven vectors")),
                    (false, false) => Err(A::Error::custom("numbers beside vectors")),
                }
            }
        }

        deserializer.deserialize_any(Form)
    }
}

/// `None` if the vectors are of several lengths.
fn mean(vectors: &[Vec<f32>]) -> Option<Vec<f32>> {
    let (mut sum, mut count) = (vec![0.0; vectors.first()?.len()], 0.0);
    for vector in vectors {
        if vector.len() != sum.len() {
            return None;
        }
        sum.iter_mut().zip(vector).for_each(|(sum, number)| *sum += number);
        count += 1.0;
    }
    Some(sum.into_iter().map(|sum| sum / count).collect())
}
