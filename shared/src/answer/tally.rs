//! What an answer amounts to while it comes in.

use std::time::Duration;

use tokio::time::Instant;

use crate::llm::{Chunk, Prompt, Reported, Usage, estimate_tokens};

/// What was received so far.
pub(super) struct Tally {
    began: Instant,
    /// Whether the provider began to answer.
    pub started: bool,
    first: Option<Duration>,
    bytes: u64,
    reported: Option<Reported>,
}

impl Tally {
    pub fn new() -> Self {
        Self { began: Instant::now(), started: false, first: None, bytes: 0, reported: None }
    }

    /// Counts a piece; returns the bytes of all up to now.
    pub fn chunk(&mut self, chunk: &Chunk) -> u64 {
        self.first.get_or_insert_with(|| self.began.elapsed());
        for delta in &chunk.choices {
            let tools = delta.tool_calls.iter();
            let tools = tools.map(|call| call.arguments.len() + call.name.as_ref().map_or(0, String::len));
            let extra = delta.message_extra.values().filter_map(|value| value.as_str()).map(str::len);
            let bytes = delta.text.as_ref().map_or(0, String::len) + tools.sum::<usize>() + extra.sum::<usize>();
            self.bytes = self.bytes.saturating_add(bytes as u64);
        }
        self.bytes
    }

    pub fn report(&mut self, reported: Reported) {
        self.reported = Some(reported);
    }

    pub fn first_ms(&self) -> Option<u64> {
        self.first.map(millis)
    }

    pub fn total_ms(&self) -> u64 {
        millis(self.began.elapsed())
    }

    /// The provider's count; without one, ours, and `true`. Before the provider began to answer nothing is charged.
    pub fn usage(&mut self, prompt: &Prompt) -> (Reported, bool) {
        match self.reported.take() {
            Some(reported) => (reported, false),
            None if self.started => {
                let usage = Usage {
                    input_tokens: prompt.estimated_tokens(),
                    output_tokens: estimate_tokens(self.bytes),
                    ..Usage::default()
                };
                (Reported { usage, ..Reported::default() }, true)
            }
            None => (Reported::default(), false),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
