//! The bytes of a streamed answer to events, as they come.

use super::reader::Reader;
use crate::llm::{
    Event, ProviderError,
    sse::{Parser, TooLong},
};

/// Reads one streamed answer. Push bytes, then take events until there are none; after the last byte call `finish`.
///
/// Gemini counts in every event and says nowhere that one is the last: the answer ends with the body.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    parser: Parser,
    reader: Reader,
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
        loop {
            let frame =
                self.parser.next_event().map_err(|error: TooLong| ProviderError::Malformed(error.to_string()))?;
            let Some(frame) = frame else { return Ok(None) };
            let json = frame.data.trim_ascii();
            if json.is_empty() {
                continue;
            }
            if let Some(chunk) = self.reader.read(json)? {
                return Ok(Some(Event::Chunk(chunk)));
            }
        }
    }

    /// Whether the provider said that this was all, which Gemini never does.
    #[must_use]
    pub fn is_done(&self) -> bool {
        false
    }

    /// Says that the body has ended, and returns what was counted.
    ///
    /// # Errors
    /// `Cut` if a candidate that began has no finish reason, or none began.
    pub fn finish(&mut self) -> Result<Option<Event>, ProviderError> {
        if !self.reader.is_complete() {
            return Err(ProviderError::Cut);
        }
        Ok(self.reader.usage().map(Event::Usage))
    }
}
