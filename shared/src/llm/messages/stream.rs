//! The bytes of a streamed answer to events, as they come ("Streaming messages").

use serde_json::Value;

use super::{
    pieces::Pieces,
    response::{malformed, native, told},
    stop,
    usage::Counts,
};
use crate::llm::{
    Chunk, Delta, Event, ProviderError, Reported,
    sse::{Parser, TooLong},
};

/// Reads one streamed answer. Push bytes, then take events until there are none; after the last byte call `finish`.
///
/// Every event of the stream is a chunk with the provider's own words, also those that say nothing else; only
/// `message_stop` is none: it is the end of the events.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    parser: Parser,
    pieces: Pieces,
    counts: Counts,
    /// What was counted, once the answer is complete.
    reported: Option<Reported>,
    done: bool,
}

impl StreamDecoder {
    /// Adds the next bytes of the body, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.parser.push(bytes);
    }

    /// The next event; `None` until more bytes are pushed.
    ///
    /// # Errors
    /// `InStream`, `Unavailable` or `RateLimited` if the provider reports an error, `Malformed` if the stream is not in
    /// its format. Nothing comes after either.
    pub fn next_event(&mut self) -> Result<Option<Event>, ProviderError> {
        while !self.done {
            let frame =
                self.parser.next_event().map_err(|error: TooLong| ProviderError::Malformed(error.to_string()))?;
            let Some(frame) = frame else { return Ok(None) };
            if frame.data.trim_ascii().is_empty() {
                continue;
            }
            let event = serde_json::from_slice(frame.data).map_err(|error| malformed(&error))?;
            if let Some(chunk) = self.take(event)? {
                return Ok(Some(Event::Chunk(chunk)));
            }
        }
        Ok(self.reported.take().map(Event::Usage))
    }

    /// Whether the provider said that this was all. Bytes that follow are ignored.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Says that the body has ended, and returns the event that is left, if any. An answer is complete with
    /// `message_stop`.
    ///
    /// # Errors
    /// `Cut` if the answer is not complete.
    pub fn finish(&mut self) -> Result<Option<Event>, ProviderError> {
        if self.done { Ok(self.reported.take().map(Event::Usage)) } else { Err(ProviderError::Cut) }
    }

    fn take(&mut self, event: Value) -> Result<Option<Chunk>, ProviderError> {
        let mut delta = Delta::default();
        let index = event.get("index").and_then(Value::as_u64).unwrap_or_default();
        match event.get("type").and_then(Value::as_str) {
            Some("message_start") => self.counts.take(&event["message"]["usage"]),
            Some("content_block_start") => self.pieces.begin(&mut delta, index, &event["content_block"]),
            Some("content_block_delta") => self.pieces.grow(&mut delta, index, &event["delta"]),
            Some("content_block_stop") => self.pieces.end(&mut delta, index),
            Some("message_delta") => {
                stop::take(&mut delta, &event["delta"]);
                self.counts.take(&event["usage"]);
            }
            Some("message_stop") => {
                self.done = true;
                self.reported = self.counts.reported();
                return Ok(None);
            }
            Some("error") => return Err(told(&event)),
            // `ping`, and events that are new: the API's versioning allows them.
            Some(_) => {}
            None => return Err(ProviderError::Malformed("an event without a type".to_owned())),
        }
        let Value::Object(fields) = event else { return Err(ProviderError::Malformed("not an object".to_owned())) };
        let choices = if delta == Delta::default() { Vec::new() } else { vec![delta] };
        Ok(Some(Chunk { choices, native: Some(native(fields)), ..Chunk::default() }))
    }
}
