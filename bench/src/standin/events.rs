//! A streamed answer: its bytes, and where each event in them ends, so that a fault has a place to happen.

use bytes::Bytes;

/// The events of a stream in one buffer.
pub(super) struct Events {
    pub bytes: Bytes,
    pub ends: Vec<End>,
    /// The index of the event with the finish reason.
    finish: usize,
}

/// Where an event ends.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub at: usize,
    /// Whether it has a piece of the answer.
    pub is_chunk: bool,
}

impl Events {
    /// The index of the event after so many chunks: the first chunk for none, the finish if there are not so many.
    pub(super) fn after(&self, chunks: usize) -> usize {
        let mut passed = 0;
        for (index, end) in self.ends.iter().enumerate().take(self.finish) {
            if passed == chunks && (chunks > 0 || end.is_chunk) {
                return index;
            }
            passed += usize::from(end.is_chunk);
        }
        self.finish
    }

    /// The index of the event after half of the chunks.
    pub(super) fn half(&self) -> usize {
        self.after(self.ends.iter().filter(|end| end.is_chunk).count() / 2)
    }
}

/// Writes events one after the other.
#[derive(Default)]
pub(super) struct EventWriter {
    pub out: Vec<u8>,
    ends: Vec<End>,
    finish: Option<usize>,
}

impl EventWriter {
    pub(super) fn with_capacity(events: usize, bytes: usize) -> Self {
        Self { out: Vec::with_capacity(events * bytes), ends: Vec::with_capacity(events), finish: None }
    }

    /// How many events there are.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// Ends the event that has been written to `out`.
    pub(super) fn end(&mut self, is_chunk: bool) {
        self.ends.push(End { at: self.out.len(), is_chunk });
    }

    /// The next event is the one with the finish reason.
    pub(super) fn finish_next(&mut self) {
        self.finish = Some(self.ends.len());
    }

    pub(super) fn done(self) -> Events {
        Events { bytes: self.out.into(), finish: self.finish.unwrap_or(self.ends.len()), ends: self.ends }
    }
}
