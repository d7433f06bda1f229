//! How far an answer has come, and what it amounts to at its end.

use std::sync::{Mutex, PoisonError};

use tracing::Span;

use super::{Completion, booking::Charge, cached::Recorded, plan::Candidate, route::Attempts, tally::Tally};
use crate::{error::Error, llm::Usage, telemetry::spans, usage::Outcome};

/// How far an answer has come.
pub(super) struct Progress<'a> {
    pub tally: Tally,
    /// Who answers; who was asked, until somebody does.
    pub candidate: &'a Candidate,
    /// Locked for moments only, by attempts that run beside each other.
    pub attempts: Mutex<Attempts>,
    /// What the cache is to keep.
    pub recorded: Option<Recorded>,
    /// What the session is to keep.
    pub said: Option<Completion>,
    /// The call of the provider that answers.
    pub call: Span,
}

impl<'a> Progress<'a> {
    pub fn new(asked: &'a Candidate, in_session: bool) -> Self {
        Self {
            tally: Tally::new(),
            candidate: asked,
            attempts: Mutex::default(),
            recorded: None,
            said: in_session.then(Completion::default),
            call: Span::none(),
        }
    }

    /// The provider's call is over.
    pub fn end_call(&mut self, failure: Option<&Error>) {
        if let Some(error) = failure {
            spans::failed(&self.call, error.code());
        }
        self.call = Span::none();
    }

    /// What is to be paid; it takes the attempts out.
    pub fn charge(&mut self, prices: &'a str, usage: Usage, estimated: bool, outcome: Outcome) -> Charge<'a> {
        let attempts = self.attempts.get_mut().unwrap_or_else(PoisonError::into_inner);
        Charge {
            model: (&self.candidate.name, &self.candidate.model),
            prices,
            byok: self.candidate.own.is_some(),
            need: self.candidate.need,
            usage,
            estimated,
            outcome,
            attempts: std::mem::take(attempts),
            first_ms: self.tally.first_ms(),
            total_ms: self.tally.total_ms(),
        }
    }
}
