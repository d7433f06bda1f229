//! A streamed answer on its way from the provider's bytes to the client's, piece by piece.

use bytes::Bytes;
use lmo_shared::{
    answer::{Done, Event},
    http::sse::{Encoder, Frames},
    llm::{self, ProviderError, Reported, WireFormat},
    money::NanoUsd,
};

/// Decodes an answer whose bytes come in these pieces, and hands over the events of each piece.
pub fn decode(
    format: WireFormat,
    pieces: &[Vec<u8>],
    mut each: impl FnMut(Vec<llm::Event>),
) -> Result<(), ProviderError> {
    let mut decoder = format.decoder();
    for piece in pieces {
        decoder.push(piece);
        let mut events = Vec::new();
        while let Some(event) = decoder.next_event()? {
            events.push(event);
        }
        each(events);
    }
    if !decoder.is_done() {
        each(decoder.finish()?.into_iter().collect());
    }
    Ok(())
}

/// What the client gets.
pub struct Written<E> {
    encoder: E,
    reported: Reported,
}

impl<E: Encoder> Written<E> {
    pub fn by(encoder: E) -> Self {
        Self { encoder, reported: Reported::default() }
    }

    /// The bytes for what came at the same time.
    pub fn events(&mut self, events: Vec<llm::Event>) -> Bytes {
        let mut out = Frames::default();
        for event in events {
            match event {
                llm::Event::Chunk(chunk) => self.encoder.encode(Ok(Event::Chunk(chunk)), &mut out),
                llm::Event::Usage(reported) => self.reported = reported,
            }
        }
        out.take()
    }

    /// The bytes of the end.
    pub fn end(mut self) -> Bytes {
        let Reported { usage, native } = self.reported;
        let mut out = Frames::default();
        self.encoder.encode(Ok(Event::Done(Done { usage, native, estimated: false, cost: NanoUsd(0) })), &mut out);
        out.take()
    }
}
