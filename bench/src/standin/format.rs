//! The wire formats of conversations that the stand-in speaks, a closed set.

use bytes::Bytes;
use http::HeaderMap;

use super::answer::Answer;
use super::body::Flaw;
use super::conversation::Conversation;
use super::envelope::Envelope;
use super::events::Events;
use super::vendor::Vendor;
use super::{anthropic, bedrock, chat, gemini, responses};

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `OpenAI`'s chat completions.
    Chat,
    /// Anthropic's Messages.
    Messages,
    /// `OpenAI`'s Responses.
    Responses,
    /// Google's `generateContent`.
    Gemini,
    /// Amazon Bedrock's Converse.
    Converse,
}

impl Format {
    pub(super) fn vendor(self) -> Vendor {
        match self {
            Self::Chat | Self::Responses => Vendor::OpenAi,
            Self::Messages => Vendor::Anthropic,
            Self::Gemini => Vendor::Google,
            Self::Converse => Vendor::Aws,
        }
    }

    /// What a stream announces itself as.
    pub(super) fn stream_type(self) -> &'static str {
        match self {
            Self::Chat | Self::Messages | Self::Responses => "text/event-stream; charset=utf-8",
            Self::Gemini => "text/event-stream",
            Self::Converse => "application/vnd.amazon.eventstream",
        }
    }

    /// Reads a request. `model` and `streams` are what the path says, in formats where it does.
    pub(super) fn read(
        self,
        model: &str,
        streams: bool,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Conversation, Flaw> {
        match self {
            Self::Chat => chat::read(body),
            Self::Messages => anthropic::read(headers, body),
            Self::Responses => responses::read(body),
            Self::Gemini => gemini::read(model.to_owned(), streams, body),
            Self::Converse => bedrock::read(model.to_owned(), streams, body),
        }
    }

    /// A buffered answer.
    pub(super) fn body(self, answer: &Answer, envelope: &Envelope<'_>) -> Bytes {
        match self {
            Self::Chat => chat::body(answer, envelope),
            Self::Messages => anthropic::body(answer, envelope),
            Self::Responses => responses::body(answer, envelope),
            Self::Gemini => gemini::body(answer, envelope),
            Self::Converse => bedrock::body(answer, envelope),
        }
    }

    /// A streamed answer.
    pub(super) fn stream(self, answer: &Answer, envelope: &Envelope<'_>) -> Events {
        match self {
            Self::Chat => chat::stream(answer, envelope),
            Self::Messages => anthropic::stream(answer, envelope),
            Self::Responses => responses::stream(answer, envelope),
            Self::Gemini => gemini::stream(answer, envelope),
            Self::Converse => bedrock::stream(answer, envelope),
        }
    }

    /// An event that is not JSON.
    pub(super) fn malformed(self) -> Bytes {
        match self {
            Self::Chat => chat::malformed(),
            Self::Messages => anthropic::malformed(),
            Self::Responses => responses::malformed(),
            Self::Gemini => gemini::malformed(),
            Self::Converse => bedrock::malformed(),
        }
    }

    /// An event whose bytes are damaged: text that is not UTF-8, or a wrong checksum.
    pub(super) fn corrupt(self) -> Bytes {
        match self {
            Self::Chat => chat::corrupt(),
            Self::Messages => anthropic::corrupt(),
            Self::Responses => responses::corrupt(),
            Self::Gemini => gemini::corrupt(),
            Self::Converse => bedrock::corrupt(),
        }
    }

    /// The event that ends a stream which fails half way, after so many events.
    pub(super) fn error(self, code: Option<&str>, events: usize) -> Bytes {
        match self {
            Self::Chat => chat::error(code),
            Self::Messages => anthropic::error(code),
            Self::Responses => responses::error(code, events),
            Self::Gemini => gemini::error(code),
            Self::Converse => bedrock::error(code),
        }
    }
}
