//! Models and their providers. A [`Prompt`] goes in, [`Event`]s come out; each provider is one folder that turns the
//! one into its wire format and its wire bytes into the other. Nothing here knows tenants, caps or prices.

use std::time::Duration;

use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use bound::estimate_tokens;
pub use error::ProviderError;
pub use format::{Native, WireFormat};
pub use message::{Content, FunctionCall, Message, Part, Role, ToolCall};
pub use prompt::Prompt;
pub use provider::{Endpoint, OutputLimitField, Provider};

pub use upstreams::{OwnKey, Target, Upstream, Upstreams};

use crate::{error::Result, money::Tokens};

mod body;
mod bound;
mod breaker;
pub mod catalogue;
pub mod converse;
mod data_url;
mod echo;
pub mod embed;
mod error;
pub mod format;
pub mod gemini;
#[cfg(test)]
mod goldens;
mod message;
pub mod messages;
pub mod openai;
mod prompt;
mod provider;
pub mod responses;
pub mod retry;
mod schema;
pub mod server;
pub mod sse;
mod upstreams;
mod words;

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
pub type Events = BoxStream<'static, std::result::Result<Event, ProviderError>>;

/// One step of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A piece of the answer. An answer that isn't streamed is one chunk.
    Chunk(Chunk),
    /// What the provider counted. At most once, after the last piece; the later one wins if a provider repeats it.
    Usage(Reported),
}

impl Event {
    /// Drops the provider's own words for a piece, where they are not what the client expects.
    fn forget_native(&mut self) {
        match self {
            Self::Chunk(chunk) => chunk.native = None,
            Self::Usage(_) => {}
        }
    }
}

/// A piece of the answer, as large as the provider made it. Reasoning is in the words that most servers of chat
/// completions use, in [`Delta::message_extra`]: `reasoning_content` is text to append, and `thinking_blocks` is a list
/// of what a provider wants to get back with the conversation, `{"type": "thinking", "index", "signature"}` (the text of
/// its block is the `reasoning_content` before it) or `{"type": "redacted_thinking", "index", "data"}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Chunk {
    /// One entry for each choice that it continues; mostly one.
    pub choices: Vec<Delta>,
    /// The provider's own fields beside the choices (`system_fingerprint`, `service_tier`).
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Fields,
    /// The provider's own words for the whole piece, for a client of the same format; the one event of the stream, or
    /// the whole answer. A chunk that is only that has no choices. Chat completions don't have it: what they say is in
    /// the other fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<Native>,
}

/// What a chunk adds to one choice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
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
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
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
    /// Those of them that the provider wrote into its prompt cache, at whatever lifetime.
    #[serde(default)]
    pub cache_write_tokens: Tokens,
    /// Those of the written ones that are kept for an hour, which have a price of their own.
    #[serde(default)]
    pub cache_write_1h_tokens: Tokens,
    /// All tokens of the answer, reasoning included.
    pub output_tokens: Tokens,
    /// Those of them that were spent on reasoning.
    pub reasoning_tokens: Tokens,
    /// Prompt and answer of a request that LMO answered from its own cache: no provider saw them, they count in no other
    /// field and in no token cap, and have a price of their own.
    #[serde(default)]
    pub cache_hit_tokens: Tokens,
}

impl Usage {
    /// The sum, kind by kind.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn plus(&self, other: &Self) -> Result<Self> {
        Ok(Self {
            input_tokens: self.input_tokens.plus(other.input_tokens)?,
            cached_input_tokens: self.cached_input_tokens.plus(other.cached_input_tokens)?,
            cache_write_tokens: self.cache_write_tokens.plus(other.cache_write_tokens)?,
            cache_write_1h_tokens: self.cache_write_1h_tokens.plus(other.cache_write_1h_tokens)?,
            output_tokens: self.output_tokens.plus(other.output_tokens)?,
            reasoning_tokens: self.reasoning_tokens.plus(other.reasoning_tokens)?,
            cache_hit_tokens: self.cache_hit_tokens.plus(other.cache_hit_tokens)?,
        })
    }
}

/// What a provider reported at the end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reported {
    /// In the normal form.
    pub usage: Usage,
    /// The provider's own object, for clients of the same format: the `usage` of chat completions, the `response` of
    /// the last event of Responses. Messages don't have it: their last pieces say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<Native>,
}
