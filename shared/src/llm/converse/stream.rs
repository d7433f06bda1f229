//! The bytes of a streamed answer to events, as they come.

use crate::llm::{Event, ProviderError};

/// Reads one streamed answer. Push bytes, then take events until there are none; after the last byte call `finish`.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    done: bool,
}

impl StreamDecoder {
    /// Adds the next bytes of the body, cut anywhere.
    pub fn push(&mut self, _bytes: &[u8]) {
        self.done = true;
    }

    /// The next event; `None` until more bytes are pushed.
    ///
    /// # Errors
    /// `InStream` if the provider reports an error, `Malformed` if the stream is not in its format. Nothing comes after
    /// either.
    pub fn next_event(&mut self) -> Result<Option<Event>, ProviderError> {
        Err(ProviderError::Cut)
    }

    /// Whether the provider said that this was all. Bytes that follow are ignored.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Says that the body has ended, and returns the event that is left, if any.
    ///
    /// # Errors
    /// `Cut` if the answer is not complete.
    pub fn finish(&mut self) -> Result<Option<Event>, ProviderError> {
        Err(ProviderError::Cut)
    }
}
