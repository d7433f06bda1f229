//! What a function answered, piece by piece and as a whole.

use std::time::Instant;

use serde_json::Value;

use super::http::HttpAnswer;
use super::invocation::Chunk;

/// An error that a function posted to `/error`, or put into the trailers of a streamed response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// `Lambda-Runtime-Function-Error-Type`.
    pub kind: String,
    /// `errorMessage` and `errorType`; in trailers they are in Base64.
    pub body: String,
}

/// A function's answer to one event.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// When a poll took the event.
    pub taken: Option<Instant>,
    /// Whether the response was streamed (`Lambda-Runtime-Function-Response-Mode`).
    pub streamed: bool,
    /// The `Content-Type` with which the response was posted.
    pub content_type: String,
    /// The response in the pieces in which it came.
    pub chunks: Vec<Chunk>,
    /// What the function said of its failure.
    pub error: Option<FunctionError>,
    /// When the response was complete; never if the function or the connection ended before.
    pub ended: Option<Instant>,
}

impl Answer {
    /// The response as a whole.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect()
    }

    /// The response as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body()).unwrap_or_default()
    }

    /// The response as whoever called over HTTP sees it; `None` if it isn't one.
    #[must_use]
    pub fn http(&self) -> Option<HttpAnswer> {
        if self.streamed { HttpAnswer::from_stream(&self.body()) } else { HttpAnswer::from_payload(&self.json()) }
    }
}
