//! What the stand-in has seen, for assertions. [`super::watch`] does the counting.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Uri};
use serde_json::Value;

use super::StandinOptions;
use super::directives::Failure;

/// Counts of requests to models since the start, in whatever wire format.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Requests whose head has arrived.
    pub requests: u64,
    /// Requests that are being read or answered now.
    pub in_flight: u64,
    /// Answers handed over completely.
    pub finished: u64,
    /// Requests answered with an error status.
    pub failed: u64,
    /// Answers that the stand-in itself broke off, as asked.
    pub broken: u64,
    /// Requests whose client went away before the answer was complete.
    pub cancelled: u64,
    /// Sum of the prompt tokens, cached ones included, in the usages of finished answers.
    pub prompt_tokens: u64,
    /// Sum of the completion tokens, reasoning included, in the usages of finished answers.
    pub completion_tokens: u64,
    /// The latest cancellations, oldest first.
    pub cancellations: Vec<Cancellation>,
    /// The latest requests, oldest first.
    pub recent: Vec<Seen>,
}

/// A client that went away.
#[derive(Debug, Clone, Copy)]
pub struct Cancellation {
    /// When it was noticed.
    pub at: Instant,
    /// How long after the request's head that was.
    pub after: Duration,
    /// How many parts of the body had been handed over: one per event with `flush`, `chunk_delay` or a fault.
    pub parts: u32,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its path and query, as they came.
    pub uri: Uri,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body; null if it was not JSON.
    pub body: Value,
}

impl Seen {
    /// The path that was asked, without the query; percent-encoded as it came.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }
}

/// A request whose body nobody has read yet.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub options: StandinOptions,
    pub started: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub stats: Stats,
    pub cancellations: VecDeque<Cancellation>,
    recent: VecDeque<Received>,
    failures: HashMap<String, u32>,
}

impl Shared {
    pub(super) fn new(options: StandinOptions) -> Self {
        Self { options, started: Instant::now(), state: Mutex::default() }
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.state();
        let mut counted = state.stats.clone();
        counted.cancellations = state.cancellations.iter().copied().collect();
        let recent = state.recent.clone();
        drop(state);
        let seen = |Received { uri, headers, body }: Received| Seen {
            uri,
            headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        };
        counted.recent = recent.into_iter().map(seen).collect();
        counted
    }

    pub(super) fn remember(&self, received: Received) {
        keep(&mut self.state().recent, received, self.options.remember);
    }

    /// Whether this failure is still due for its id; `prompt` stands in for an id.
    pub(super) fn takes_failure(&self, failure: &Failure, prompt: &str) -> bool {
        let Some(times) = failure.times else {
            return true;
        };
        let id = failure.id.as_deref().unwrap_or(prompt).to_owned();
        let mut state = self.state();
        let taken = state.failures.entry(id).or_default();
        let is_due = *taken < times;
        *taken += u32::from(is_due);
        is_due
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn keep<T>(ring: &mut VecDeque<T>, item: T, most: usize) {
    if most == 0 {
        return;
    }
    if ring.len() == most {
        ring.pop_front();
    }
    ring.push_back(item);
}
