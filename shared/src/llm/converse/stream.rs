//! The bytes of a streamed answer to events, as they come: frames of `application/vnd.amazon.eventstream`, each with
//! its checksums (Smithy, "Amazon Event Stream specification").

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use bytes::BytesMut;

use super::events::Reader;
use crate::llm::{Event, ProviderError, sse::MAX_EVENT};

/// Reads one streamed answer. Push bytes, then take events until there are none; after the last byte call `finish`.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    buffer: BytesMut,
    frames: MessageFrameDecoder,
    reader: Reader,
}

impl StreamDecoder {
    /// Adds the next bytes of the body, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next event; `None` until more bytes are pushed.
    ///
    /// # Errors
    /// `InStream`, `Unavailable` or `RateLimited` if the provider reports an error, `Malformed` if the stream is not in
    /// its format. Nothing comes after either.
    pub fn next_event(&mut self) -> Result<Option<Event>, ProviderError> {
        while !self.reader.counted {
            let frame = self.frames.decode_frame(&mut self.buffer);
            match frame.map_err(|error| ProviderError::Malformed(error.to_string()))? {
                DecodedFrame::Incomplete if self.buffer.len() > MAX_EVENT => {
                    return Err(ProviderError::Malformed(format!("a frame of more than {MAX_EVENT} bytes")));
                }
                DecodedFrame::Incomplete => return Ok(None),
                DecodedFrame::Complete(frame) => {
                    if let Some(event) = self.reader.read(&frame)? {
                        return Ok(Some(event));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Whether the provider said that this was all: it counts last. Bytes that follow are ignored.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.reader.counted
    }

    /// Says that the body has ended. The answer is complete even if nothing was counted.
    ///
    /// # Errors
    /// `Cut` if the answer is not complete.
    pub fn finish(&mut self) -> Result<Option<Event>, ProviderError> {
        if self.reader.stopped || self.reader.counted { Ok(None) } else { Err(ProviderError::Cut) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_without_end_is_not_collected() {
        let mut decoder = StreamDecoder::default();
        decoder.push(&[0x7F; 1024]);
        assert_eq!(decoder.next_event(), Ok(None));
        decoder.push(&vec![0; MAX_EVENT]);
        assert!(matches!(decoder.next_event(), Err(ProviderError::Malformed(_))));
    }
}
