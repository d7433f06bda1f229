//! The bytes of a streamed answer to events, as they come.

use super::envelope::Envelope;
use crate::llm::{
    Event, ProviderError, Reported,
    sse::{Parser, TooLong},
};

/// Reads one streamed answer. Push bytes, then take events until there are none; after the last byte call `finish`.
///
/// What the provider counted is held back until the answer is complete: some count in every chunk, and the last counts.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    parser: Parser,
    /// The choices that began, and whether each has ended.
    choices: Vec<(u32, bool)>,
    usage: Option<Reported>,
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
    /// `InStream` if the provider reports an error, `Malformed` if the stream is not in its format. Nothing comes after
    /// either.
    pub fn next_event(&mut self) -> Result<Option<Event>, ProviderError> {
        while !self.done {
            let frame =
                self.parser.next_event().map_err(|error: TooLong| ProviderError::Malformed(error.to_string()))?;
            let Some(frame) = frame else { return Ok(None) };
            match frame.data.trim_ascii() {
                b"" => {}
                b"[DONE]" => self.done = true,
                json => {
                    let envelope = Envelope::read(json)?;
                    if let Some(event) = self.take(envelope) {
                        return Ok(Some(event));
                    }
                }
            }
        }
        Ok(self.usage.take().map(Event::Usage))
    }

    /// Whether the provider said that this was all. Bytes that follow are ignored.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Says that the body has ended, and returns the event that is left, if any. An answer is complete with `[DONE]`,
    /// or, as some servers just close, when every choice that began had a finish reason.
    ///
    /// # Errors
    /// `Cut` if the answer is not complete.
    pub fn finish(&mut self) -> Result<Option<Event>, ProviderError> {
        let ended = !self.choices.is_empty() && self.choices.iter().all(|(_, ended)| *ended);
        if !self.done && !ended {
            return Err(ProviderError::Cut);
        }
        self.done = true;
        Ok(self.usage.take().map(Event::Usage))
    }

    fn take(&mut self, mut envelope: Envelope) -> Option<Event> {
        let reported = envelope.reported();
        let counts = reported.is_some();
        self.usage = reported.or(self.usage.take());
        let chunk = envelope.chunk;
        for delta in &chunk.choices {
            let ended = delta.finish.is_some();
            match self.choices.iter_mut().find(|(choice, _)| *choice == delta.choice) {
                Some((_, before)) => *before |= ended,
                None => self.choices.push((delta.choice, ended)),
            }
        }
        // A chunk without choices is either the one that counts, which clients mustn't see unless they asked for it, or
        // one that has something else to say, like Azure's `prompt_filter_results`.
        let says = if chunk.choices.is_empty() { !counts && !chunk.extra.is_empty() } else { true };
        says.then_some(Event::Chunk(chunk))
    }
}
