//! Follows a request from its head to its last byte. A watch that is dropped before the answer is complete belonged to
//! a client that went away.

use std::sync::Arc;
use std::time::Instant;

use super::answer::Usage;
use super::stats::{Cancellation, Shared, keep};

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Finished,
    Failed,
    Broken,
}

/// Follows one request until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    since: Instant,
    outcome: Option<Outcome>,
    /// The request's number, from 1.
    pub number: u64,
    pub parts: u32,
    /// The usage that the answer reports.
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl Watch {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let mut state = shared.state();
        state.stats.requests += 1;
        state.stats.in_flight += 1;
        let number = state.stats.requests;
        drop(state);
        Self {
            shared: Arc::clone(shared),
            since: Instant::now(),
            outcome: None,
            number,
            parts: 0,
            prompt_tokens: 0,
            completion_tokens: 0,
        }
    }

    pub(super) fn reports(&mut self, usage: Usage) {
        self.prompt_tokens = usage.prompt;
        self.completion_tokens = usage.completion;
    }

    /// The first outcome stays.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.outcome.get_or_insert(outcome);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.stats.in_flight -= 1;
        match self.outcome {
            Some(Outcome::Finished) => {
                state.stats.finished += 1;
                state.stats.prompt_tokens += self.prompt_tokens;
                state.stats.completion_tokens += self.completion_tokens;
            }
            Some(Outcome::Failed) => state.stats.failed += 1,
            Some(Outcome::Broken) => state.stats.broken += 1,
            None => {
                state.stats.cancelled += 1;
                let at = Instant::now();
                let cancellation = Cancellation { at, after: at - self.since, parts: self.parts };
                keep(&mut state.cancellations, cancellation, self.shared.options.remember);
            }
        }
    }
}
