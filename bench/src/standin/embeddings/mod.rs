//! Requests for vectors: `POST /v1/embeddings` (`OpenAI`), `/model/{model}/invoke` (Titan and Cohere on Bedrock) and
//! `/v1beta/models/{model}:batchEmbedContents` (Gemini). A text has as many tokens as it has words.

mod cohere;
mod gemini;
mod openai;
mod titan;
mod vector;

use http::HeaderMap;
use serde_json::Value;

pub use vector::embedding;

use super::answer::Usage;
use super::body::{Flaw, parse};
use super::directives::Directives;
use super::later;
use super::vendor::{Vendor, put};

/// A provider's way to ask for vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Embedder {
    OpenAi,
    Titan,
    Cohere,
    Gemini,
}

/// A request for vectors.
pub(super) struct EmbeddingRequest {
    pub model: String,
    pub texts: Vec<String>,
    dimensions: usize,
    shape: Shape,
}

/// How the vectors are wanted.
#[derive(Clone, Copy)]
enum Shape {
    /// `OpenAI`'s list; the vectors as numbers, or as base64 of their bytes.
    OpenAi {
        base64: bool,
    },
    Titan {
        normalize: bool,
        types: titan::Types,
    },
    Cohere {
        by_type: bool,
    },
    Gemini,
}

impl Embedder {
    /// Which one a model of Bedrock's is.
    pub(super) fn of_bedrock(model: &str) -> Option<Self> {
        if model.contains("titan-embed-text") {
            Some(Self::Titan)
        } else if model.contains("cohere.embed") {
            Some(Self::Cohere)
        } else {
            None
        }
    }

    pub(super) fn vendor(self) -> Vendor {
        match self {
            Self::OpenAi => Vendor::OpenAi,
            Self::Titan | Self::Cohere => Vendor::Aws,
            Self::Gemini => Vendor::Google,
        }
    }

    /// Reads a request; `model` is what the path says.
    pub(super) fn read(self, model: &str, body: &[u8]) -> Result<EmbeddingRequest, Flaw> {
        let body = parse(body)?;
        match self {
            Self::OpenAi => openai::read(&body),
            Self::Titan => titan::read(model, &body),
            Self::Cohere => cohere::read(model, &body),
            Self::Gemini => gemini::read(model, &body),
        }
    }
}

impl EmbeddingRequest {
    pub(super) fn vendor(&self) -> Vendor {
        match self.shape {
            Shape::OpenAi { .. } => Vendor::OpenAi,
            Shape::Titan { .. } | Shape::Cohere { .. } => Vendor::Aws,
            Shape::Gemini => Vendor::Google,
        }
    }

    /// What the model's name and all texts ask for; what is about answers in words has no effect.
    pub(super) fn directives(&self) -> Result<Directives, String> {
        let mut directives = Directives::default();
        directives.read(&self.model)?;
        for text in &self.texts {
            directives.read(text)?;
        }
        Ok(directives)
    }

    pub(super) fn usage(&self) -> Usage {
        let words: usize = self.texts.iter().map(|text| text.split_whitespace().count()).sum();
        Usage { prompt: words as u64, ..Usage::default() }
    }

    /// The answer. Bedrock reports tokens in a header field.
    pub(super) fn body(&self, headers: &mut HeaderMap, number: u64, directives: &Directives) -> String {
        let tokens = (!directives.no_usage).then(|| self.usage().prompt);
        let mut body = match self.shape {
            Shape::OpenAi { base64 } => openai::body(self, base64, tokens),
            Shape::Titan { normalize, types } => titan::body(self, normalize, types, tokens),
            Shape::Cohere { by_type } => cohere::body(self, by_type, number),
            Shape::Gemini => gemini::body(self),
        };
        match self.shape {
            Shape::Titan { .. } | Shape::Cohere { .. } => {
                put(headers, "x-amzn-bedrock-invocation-latency", "1");
                if let Some(tokens) = tokens {
                    put(headers, "x-amzn-bedrock-input-token-count", &tokens.to_string());
                }
            }
            Shape::OpenAi { .. } | Shape::Gemini => {}
        }
        if directives.unknown {
            later::mark(&mut body, &[]);
        }
        body.to_string()
    }
}

/// A vector as JSON.
fn numbers(vector: &[f32]) -> Value {
    // By way of its shortest text: as a double it would have digits that it doesn't mean.
    vector.iter().map(|number| number.to_string().parse::<f64>().unwrap_or_default()).map(Value::from).collect()
}

/// A size that the model doesn't have.
fn wrong_dimensions(path: &str, dimensions: u64, expected: &str) -> Flaw {
    Flaw::Other {
        message: format!("Invalid '{path}': {dimensions}. Expected {expected}."),
        path: Some(path.to_owned()),
        code: Some("invalid_value"),
    }
}
