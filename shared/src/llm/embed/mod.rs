//! Texts to vectors. An [`EmbedCall`] goes in, [`Embedded`] comes out; each wire format is one file of pure code, and
//! `hash` is the model that needs no provider.

use std::time::Duration;

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    ProviderError, estimate_tokens,
    format::{WireFormat, WireRequest},
};
use crate::money::Tokens;

pub use encoding::to_base64;

mod cohere;
mod encoding;
mod gemini;
#[cfg(test)]
mod goldens;
pub(super) mod hash;
mod openai;
mod titan;

/// What a tokeniser puts around a text: `[CLS]` and `[SEP]`, or begin and end.
const MARKERS: u64 = 2;

/// One call to a provider: everything that it needs beside its own endpoint.
#[derive(Debug, Clone, Copy)]
pub struct EmbedCall<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// What to embed, at most as many as [`super::Provider::most_inputs`].
    pub inputs: &'a [EmbedInput],
    /// How long the vectors are to be; as the model makes them if absent.
    pub dimensions: Option<u32>,
    /// What the vectors are for, if the caller said so.
    pub kind: Option<EmbedKind>,
    /// The caller's own name for its user; a hint.
    pub user: Option<&'a str>,
    /// What remains of the overall deadline.
    pub time_left: Duration,
}

/// Something to embed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmbedInput {
    /// A text.
    Text(String),
    /// The same in the tokens of the model.
    Tokens(Vec<u32>),
}

impl EmbedInput {
    /// Whether there is nothing to embed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Tokens(tokens) => tokens.is_empty(),
        }
    }

    /// The most tokens that it can have: the bytes of a text and the marks around it, or the tokens that it is.
    #[must_use]
    pub fn upper_bound(&self) -> Tokens {
        match self {
            Self::Text(text) => Tokens(length(text.len()).saturating_add(MARKERS)),
            Self::Tokens(tokens) => Tokens(length(tokens.len())),
        }
    }

    /// Its tokens, those of a text by rule of thumb. Never more than the upper bound.
    #[must_use]
    pub fn estimated_tokens(&self) -> Tokens {
        match self {
            Self::Text(text) => estimate_tokens(length(text.len())),
            Self::Tokens(tokens) => Tokens(length(tokens.len())),
        }
    }
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// What vectors are for. Some models make others of a text that is searched than of one that it is searched by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EmbedKind {
    /// To be found.
    Document,
    /// To find by.
    Query,
}

/// What a provider answers.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Embedded {
    /// A vector for each input, in their order; all of one length, of finite numbers.
    pub vectors: Vec<Vec<f32>>,
    /// What the provider counted, if it did.
    pub input_tokens: Option<Tokens>,
}

/// How a server is asked for vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EmbedFormat {
    /// `OpenAI`'s embeddings, which most servers speak.
    OpenAi,
    /// Google's `batchEmbedContents`.
    Gemini,
    /// Amazon Titan, by Bedrock's `InvokeModel`.
    Titan,
    /// Cohere, by Bedrock's `InvokeModel`.
    Cohere,
}

impl EmbedFormat {
    /// That of a model at a server which speaks `format`. Bedrock has no format of its own for all its models, so there
    /// the model's name decides; that of an inference profile has the model's name in it.
    ///
    /// # Errors
    /// `Unsupported` if the server or the model has no embeddings.
    pub fn of(format: WireFormat, model: &str) -> Result<Self, ProviderError> {
        let none = |why: &str| Err(ProviderError::unsupported("model", why));
        match format {
            WireFormat::ChatCompletions => Ok(Self::OpenAi),
            WireFormat::Gemini => Ok(Self::Gemini),
            WireFormat::Converse if model.contains("titan-embed") => Ok(Self::Titan),
            WireFormat::Converse if model.contains("cohere.embed") => Ok(Self::Cohere),
            WireFormat::Converse => none("of Bedrock's models, LMO has embeddings from Titan and Cohere only"),
            WireFormat::Messages => none("providers of the kind `anthropic` have no embeddings"),
            WireFormat::Responses => {
                none("providers of the kind `responses` have no embeddings, those of the kind `openai` do")
            }
        }
    }

    /// The most inputs of one call.
    pub fn most_inputs(self) -> usize {
        match self {
            Self::OpenAi => openai::MOST_INPUTS,
            Self::Gemini => gemini::MOST_INPUTS,
            Self::Titan => titan::MOST_INPUTS,
            Self::Cohere => cohere::MOST_INPUTS,
        }
    }

    /// Writes a call.
    ///
    /// # Errors
    /// `Unsupported` if it has something that this format can't say.
    pub fn request(self, call: &EmbedCall<'_>) -> Result<WireRequest, ProviderError> {
        match self {
            Self::OpenAi => openai::request(call),
            Self::Gemini => gemini::request(call),
            Self::Titan => titan::request(call),
            Self::Cohere => cohere::request(call),
        }
    }

    /// Reads the answer to a call of `inputs` inputs.
    ///
    /// # Errors
    /// `InStream` if it is an error in spite of its status, `Malformed` if it has not one good vector for each input.
    pub fn read(self, inputs: usize, headers: &HeaderMap, body: &[u8]) -> Result<Embedded, ProviderError> {
        let embedded = match self {
            Self::OpenAi => openai::read(inputs, body),
            Self::Gemini => gemini::read(body),
            Self::Titan => titan::read(headers, body),
            Self::Cohere => cohere::read(headers, body),
        }?;
        check(inputs, &embedded.vectors)?;
        Ok(embedded)
    }
}

/// Whether there is a vector for each input, all of one length, with nothing that JSON can't say.
fn check(inputs: usize, vectors: &[Vec<f32>]) -> Result<(), ProviderError> {
    let malformed = |what: String| Err(ProviderError::Malformed(what));
    if vectors.len() != inputs {
        return malformed(format!("{} vectors for {inputs} inputs", vectors.len()));
    }
    let dimensions = vectors.first().map_or(0, Vec::len);
    if vectors.iter().any(|vector| vector.is_empty() || vector.len() != dimensions) {
        return malformed("vectors that are empty or of several lengths".to_owned());
    }
    if vectors.iter().flatten().any(|number| !number.is_finite()) {
        return malformed("a vector with a number that is not finite".to_owned());
    }
    Ok(())
}

/// The inputs for a model that takes texts alone.
fn texts<'a>(call: &EmbedCall<'a>) -> Result<Vec<&'a str>, ProviderError> {
    let text = |input: &'a EmbedInput| match input {
        EmbedInput::Text(text) => Ok(text.as_str()),
        EmbedInput::Tokens(_) => {
            Err(ProviderError::unsupported("input", "this model takes texts, not lists of tokens"))
        }
    };
    call.inputs.iter().map(text).collect()
}

/// JSON text of a body.
fn json(body: &impl Serialize) -> Result<Vec<u8>, ProviderError> {
    serde_json::to_vec(body).map_err(|error| ProviderError::unsupported("input", error.to_string()))
}

/// JSON text of an answer.
fn parsed<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ProviderError> {
    serde_json::from_slice(body).map_err(|error| ProviderError::Malformed(error.to_string()))
}

/// The tokens that Bedrock counted, which it tells beside the body of whatever model.
fn counted_by_bedrock(headers: &HeaderMap) -> Option<Tokens> {
    let count = headers.get("x-amzn-bedrock-input-token-count")?.to_str().ok()?;
    count.trim().parse().ok().map(Tokens)
}
