//! Models and their providers. A [`Prompt`] goes in, [`Event`]s come out; each provider is one folder that turns the
//! one into its wire format and its wire bytes into the other. Nothing here knows tenants, caps or prices.

use std::time::Duration;

use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use bound::estimate_tokens;
pub use error::ProviderError;
pub use message::{Content, FunctionCall, Message, Part, Role, ToolCall};
pub use prompt::Prompt;
pub use provider::{Endpoint, OutputLimitField, Provider};

pub use upstreams::Upstreams;

use crate::money::Tokens;

mod body;
mod bound;
pub mod catalogue;
mod echo;
mod error;
mod message;
pub mod openai;
mod prompt;
mod provider;
pub mod retry;
mod schema;
pub mod sse;
mod upstreams;

/// JSON fields that LMO doesn't interpret, in their order. They are passed on untouched.
pub type Fields = Map<String, Value>;

/// One call to a provider: everything that it needs beside its own endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// What is asked.
    pub prompt: &'a Prompt,
    /// The most tokens that each choice may have. Always sent, so that the hold is a true bound.
    pub max_output: Tokens,
    /// Whether to ask for a stream.
    pub stream: bool,
    /// What remains of the overall deadline.
    pub time_left: Duration,
}

/// What a provider answers: events in their order, or the error that ended them.
pub type Events = BoxStream<'static, Result<Event, ProviderError>>;

/// One step of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A piece of the answer. An answer that isn't streamed is one chunk.
    Chunk(Chunk),
    /// What the provider counted. At most once, after the last piece; the later one wins if a provider repeats it.
    Usage(Reported),
}

/// A piece of the answer, as large as the provider made it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Chunk {
    /// One entry for each choice that it continues; mostly one.
    pub choices: Vec<Delta>,
    /// The provider's own fields beside the choices (`system_fingerprint`, `service_tier`).
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Fields,
}

/// What a chunk adds to one choice.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Delta {
    /// Which of the alternatives (`n` in the request), from 0.
    pub choice: u32,
    /// Text to append.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Tool calls to begin or continue.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCallDelta>,
    /// Why the choice ended, in its last piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish: Option<FinishReason>,
    /// Fields of the message that LMO doesn't interpret (`reasoning_content`, `refusal`, `annotations`).
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub message_extra: Fields,
    /// Fields of the choice that LMO doesn't interpret (`logprobs`).
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub choice_extra: Fields,
}

/// A piece of a tool call.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ToolCallDelta {
    /// Which of the parallel calls, from 0.
    pub index: u32,
    /// The call's id, in its first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The tool's name, in its first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// JSON text of the arguments to append.
    pub arguments: String,
    /// Fields that LMO doesn't interpret.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Fields,
}

/// Why a choice ended, in `OpenAI`'s words, which all clients know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model was done, or met a stop sequence.
    Stop,
    /// The output limit was reached.
    Length,
    /// The model wants tools to be called.
    ToolCalls,
    /// The provider's filter cut it.
    ContentFilter,
    /// A reason that LMO doesn't know, as the provider wrote it.
    #[serde(untagged)]
    Other(String),
}

/// Token counts in one normal form for all providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// All tokens of the prompt, cached ones included.
    pub input_tokens: Tokens,
    /// Those of them that the provider read from its prompt cache.
    pub cached_input_tokens: Tokens,
    /// All tokens of the answer, reasoning included.
    pub output_tokens: Tokens,
    /// Those of them that were spent on reasoning.
    pub reasoning_tokens: Tokens,
}

/// What a provider reported at the end.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Reported {
    /// In the normal form.
    pub usage: Usage,
    /// The provider's own object, for clients of the same format.
    pub wire: Fields,
}
