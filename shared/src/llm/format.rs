//! The wire formats that clients and providers speak, a closed set. Each is one module of pure code that writes a
//! [`Call`] and reads bytes back as [`Event`]s; `server` alone does I/O.

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::{
    Call, Event, Fields, ProviderError, converse, gemini, messages, openai, provider::OutputLimitField, responses,
};

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireFormat {
    /// `OpenAI`'s chat completions, which most servers speak.
    ChatCompletions,
    /// Anthropic's Messages.
    Messages,
    /// `OpenAI`'s Responses.
    Responses,
    /// Google's `generateContent`.
    Gemini,
    /// Amazon Bedrock's Converse.
    Converse,
}

/// JSON as one side wrote it, for the other side to get unchanged if it speaks the same format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Native {
    /// The format.
    pub format: WireFormat,
    /// The object.
    pub fields: Fields,
}

/// A request as it goes over the wire, without its credential.
#[derive(Debug, Clone, PartialEq)]
pub struct WireRequest {
    /// Segments to append to the path of the base URL. They are percent-encoded there.
    pub path: Vec<String>,
    /// Pairs to append to its query.
    pub query: Vec<(&'static str, &'static str)>,
    /// Header fields of the format itself (`anthropic-version`); not `Content-Type` and `Accept`.
    pub headers: HeaderMap,
    /// JSON text.
    pub body: Vec<u8>,
}

impl WireRequest {
    /// A body for a path, with no further header fields.
    #[must_use]
    pub fn new<const N: usize>(path: [&str; N], body: Vec<u8>) -> Self {
        Self { path: path.map(str::to_owned).into(), query: Vec::new(), headers: HeaderMap::new(), body }
    }
}

impl WireFormat {
    /// Writes a call.
    ///
    /// # Errors
    /// `Unsupported` if the prompt has something that this format can't say.
    pub fn request(self, call: &Call<'_>, limit: OutputLimitField) -> Result<WireRequest, ProviderError> {
        match self {
            Self::ChatCompletions => openai::request::write(call, limit),
            Self::Messages => messages::request::write(call),
            Self::Responses => responses::request::write(call),
            Self::Gemini => gemini::request::write(call),
            Self::Converse => converse::request::write(call),
        }
    }

    /// What a streamed answer announces itself as.
    #[must_use]
    pub fn stream_type(self) -> &'static str {
        match self {
            Self::ChatCompletions | Self::Messages | Self::Responses | Self::Gemini => "text/event-stream",
            Self::Converse => "application/vnd.amazon.eventstream",
        }
    }

    /// Reads a streamed answer.
    #[must_use]
    pub fn decoder(self) -> Decoder {
        match self {
            Self::ChatCompletions => Decoder::ChatCompletions(Box::default()),
            Self::Messages => Decoder::Messages(Box::default()),
            Self::Responses => Decoder::Responses(Box::default()),
            Self::Gemini => Decoder::Gemini(Box::default()),
            Self::Converse => Decoder::Converse(Box::default()),
        }
    }

    /// Reads an answer that isn't streamed: one chunk, then what the provider counted, if it did.
    ///
    /// # Errors
    /// `InStream` if it is an error in spite of its status, `Malformed` if it is not an answer.
    pub fn whole(self, body: &[u8]) -> Result<Vec<Event>, ProviderError> {
        match self {
            Self::ChatCompletions => openai::response::events(body),
            Self::Messages => messages::response::events(body),
            Self::Responses => responses::response::events(body),
            Self::Gemini => gemini::response::events(body),
            Self::Converse => converse::response::events(body),
        }
    }

    /// The error that an answer with a status other than 2xx stands for.
    #[must_use]
    pub fn failure(self, status: u16, headers: &HeaderMap, body: &[u8]) -> ProviderError {
        match self {
            // Gemini's `{"error": {...}}` and Anthropic's read alike.
            Self::ChatCompletions | Self::Responses => openai::response::failure(status, headers, body),
            Self::Messages => messages::response::failure(status, headers, body),
            Self::Gemini => gemini::response::failure(status, headers, body),
            Self::Converse => converse::response::failure(status, headers, body),
        }
    }
}

/// Reads one streamed answer. Push bytes, then take events until there are none; after the last byte call `finish`.
#[derive(Debug)]
pub enum Decoder {
    /// Of chat completions.
    ChatCompletions(Box<openai::StreamDecoder>),
    /// Of Messages.
    Messages(Box<messages::StreamDecoder>),
    /// Of Responses.
    Responses(Box<responses::StreamDecoder>),
    /// Of Gemini.
    Gemini(Box<gemini::StreamDecoder>),
    /// Of Converse.
    Converse(Box<converse::StreamDecoder>),
}

/// The same call on whichever decoder it is.
macro_rules! each {
    ($decoder:expr, $inner:ident => $call:expr) => {
        match $decoder {
            Decoder::ChatCompletions($inner) => $call,
            Decoder::Messages($inner) => $call,
            Decoder::Responses($inner) => $call,
            Decoder::Gemini($inner) => $call,
            Decoder::Converse($inner) => $call,
        }
    };
}

impl Decoder {
    /// Adds the next bytes of the body, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        each!(self, decoder => decoder.push(bytes));
    }

    /// The next event; `None` until more bytes are pushed.
    ///
    /// # Errors
    /// `InStream`, `Unavailable` or `RateLimited` if the provider reports an error, `Malformed` if the stream is not in
    /// its format. Nothing comes after either.
    pub fn next_event(&mut self) -> Result<Option<Event>, ProviderError> {
        each!(self, decoder => decoder.next_event())
    }

    /// Whether the provider said that this was all. Bytes that follow are ignored.
    #[must_use]
    pub fn is_done(&self) -> bool {
        each!(self, decoder => decoder.is_done())
    }

    /// Says that the body has ended, and returns the event that is left, if any.
    ///
    /// # Errors
    /// `Cut` if the answer is not complete.
    pub fn finish(&mut self) -> Result<Option<Event>, ProviderError> {
        each!(self, decoder => decoder.finish())
    }
}
