//! Which model answers: the one that was asked for, or one of its fallbacks; and over which endpoint. All of it happens
//! before the first piece of an answer is passed on; afterwards nobody else could go on with it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt, stream, stream::FuturesUnordered};
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument, Span};

use super::plan::{Candidate, Plan};
use crate::{
    llm::{
        Call, Event, Events, ProviderError, Target, Upstreams,
        catalogue::{Capability, Regions},
        retry::{Retry, with_retry},
    },
    money::NanoUsd,
    telemetry::{metrics, spans},
    usage::FailedAttempt,
};

/// The ways that a request may take.
pub(super) struct Route<'r, 'a> {
    upstreams: &'a Upstreams,
    plan: &'a Plan,
    deadline: Instant,
    attempts: &'r Mutex<Attempts>,
}

/// What was tried.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// How many, the one that answered included.
    pub made: u32,
    /// Those that came to nothing.
    pub failed: Vec<FailedAttempt>,
}

/// An answer that has begun.
pub(super) struct Begun<'a> {
    /// Who answers.
    pub candidate: &'a Candidate,
    /// The answer from its first piece.
    pub events: Events,
    /// The call, which goes on as long as the answer.
    pub span: Span,
}

impl<'r, 'a> Route<'r, 'a> {
    /// What is tried goes into `attempts` as it happens, so that it is there also if all of it is dropped.
    pub fn new(upstreams: &'a Upstreams, plan: &'a Plan, deadline: Instant, attempts: &'r Mutex<Attempts>) -> Self {
        Self { upstreams, plan, deadline, attempts }
    }

    /// The first answer that begins. Every endpoint of every candidate is tried in turn, without a wait in between; then,
    /// if it may help, all of it again after a wait.
    ///
    /// # Errors
    /// Why nobody answers: what the first one said, unless another failure is more likely to pass.
    pub async fn begin(&self) -> Result<Begun<'a>, ProviderError> {
        with_retry(Retry::default(), self.deadline, |_| self.round()).await.map(|(begun, _)| begun)
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an attempt; returns how many there were.
    fn count(&self) -> u32 {
        let mut attempts = self.attempts();
        attempts.made += 1;
        attempts.made
    }

    fn span(&self, candidate: &Candidate) -> Span {
        let provider = self.plan.provider(candidate).map_or("", |provider| provider.kind.well_known());
        spans::of_call("chat", provider, &candidate.name, &candidate.model.upstream)
    }

    async fn round(&self) -> Result<Begun<'a>, ProviderError> {
        let mut queue = Queue { route: self, next: 0, targets: Vec::new(), last: None };
        let mut running = FuturesUnordered::new();
        let mut worst = None;
        let mut hedge_at = self.plan.hedge_after.map(|wait| Instant::now() + wait);
        loop {
            if running.is_empty() {
                match queue.next().await {
                    Some(Ok((candidate, target))) => running.push(self.attempt(candidate, target)),
                    Some(Err(error)) => worst = Some(worse(worst, error)),
                    None => return Err(worst.unwrap_or(ProviderError::Credentials)),
                }
                continue;
            }
            tokio::select! {
                biased;
                Some(answer) = running.next() => match answer {
                    // Dropping the others closes their connections; each notes that it was beaten.
                    Ok(begun) => return Ok(begun),
                    // What is wrong with the request itself no other model puts right.
                    Err(error) if error.is_callers() && worst.is_none() => return Err(error),
                    Err(error) => worst = Some(worse(worst, error)),
                },
                () = sleep_until(hedge_at.unwrap_or(self.deadline)), if hedge_at.is_some() => {
                    hedge_at = None;
                    if let Some((candidate, target)) = queue.next_or_again().await {
                        running.push(self.attempt(candidate, target));
                    }
                }
            }
        }
    }

    /// One call of one endpoint, up to the first piece of its answer.
    async fn attempt(&self, candidate: &'a Candidate, target: Target) -> Result<Begun<'a>, ProviderError> {
        let call = async {
            let mut note = Note { route: self, candidate, began: Instant::now(), over: false };
            if self.count() > 1 {
                metrics::retried(&candidate.name);
            }
            let begun = self.first_piece(candidate, &target).await;
            note.over = true;
            if let Err(error) = &begun {
                note.failed(error.code(), error.may_have_cost());
                metrics::upstream_failed(&candidate.name, error);
                spans::failed(&Span::current(), error.code());
            }
            begun
        };
        let span = self.span(candidate);
        let events = target.guarded(call.instrument(span.clone())).await?;
        Ok(Begun { candidate, events, span })
    }

    async fn first_piece(&self, candidate: &Candidate, target: &Target) -> Result<Events, ProviderError> {
        let call = Call {
            model: &candidate.model.upstream,
            prompt: &self.plan.prompt,
            max_output: candidate.max_output,
            stream: self.plan.stream && candidate.model.can(Capability::Stream),
            time_left: self.deadline.saturating_duration_since(Instant::now()),
        };
        let mut events = target.call(call).await?;
        let mut first = Vec::new();
        while let Some(event) = events.next().await {
            let event = event?;
            let says = says_something(&event);
            first.push(Ok(event));
            if says {
                break;
            }
        }
        Ok(stream::iter(first).chain(events).boxed())
    }
}

/// Whether somebody who has passed this on can't take it back: text, a tool call, reasoning, or the end.
fn says_something(event: &Event) -> bool {
    let Event::Chunk(chunk) = event else { return false };
    chunk.choices.iter().any(|delta| {
        let text = delta.text.as_ref().is_some_and(|text| !text.is_empty());
        let extra = delta.message_extra.values().any(|value| !value.is_null());
        text || extra || !delta.tool_calls.is_empty() || delta.finish.is_some()
    })
}

/// The failure to tell of two: the first, unless only the other may pass.
fn worse(first: Option<ProviderError>, second: ProviderError) -> ProviderError {
    let passes = |error: &ProviderError| error.is_retryable() && !matches!(error, ProviderError::CircuitOpen { .. });
    match first {
        Some(first) if passes(&first) || !passes(&second) => first,
        Some(_) | None => second,
    }
}

/// Who is tried next.
struct Queue<'r, 'a> {
    route: &'r Route<'r, 'a>,
    /// The first candidate whose endpoints were not looked at yet.
    next: usize,
    /// Endpoints of the one before it that are left, last first.
    targets: Vec<Target>,
    /// Who was tried last.
    last: Option<(&'a Candidate, Target)>,
}

impl<'a> Queue<'_, 'a> {
    async fn next(&mut self) -> Option<Result<(&'a Candidate, Target), ProviderError>> {
        self.next_if(|_| true).await
    }

    /// The next, unless that is another candidate, and one that `may` not be.
    async fn next_if(
        &mut self,
        may: impl Fn(&Candidate) -> bool,
    ) -> Option<Result<(&'a Candidate, Target), ProviderError>> {
        let plan: &'a Plan = self.route.plan;
        while self.targets.is_empty() {
            let candidate = plan.candidates.get(self.next).filter(|candidate| may(candidate))?;
            self.next += 1;
            match self.targets_of(candidate).await {
                Ok(targets) => self.targets = targets,
                Err(error) => return Some(Err(error)),
            }
        }
        let candidate = plan.candidates.get(self.next - 1)?;
        let target = self.targets.pop()?;
        self.last = Some((candidate, target.clone()));
        Some(Ok((candidate, target)))
    }

    /// Where a hedged request goes: to the next, or, without one, to the same once more. Never from a key of the tenant's
    /// own to the operator's, or back: what a tenant's key answers is free, and the operator would pay for the other.
    async fn next_or_again(&mut self) -> Option<(&'a Candidate, Target)> {
        let own = self.last.as_ref().is_some_and(|(candidate, _)| candidate.own.is_some());
        match self.next_if(|candidate| candidate.own.is_some() == own).await {
            Some(Ok(next)) => Some(next),
            Some(Err(_)) | None => self.last.clone(),
        }
    }

    async fn targets_of(&self, candidate: &Candidate) -> Result<Vec<Target>, ProviderError> {
        let Route { upstreams, plan, .. } = self.route;
        let regions = Regions(plan.regions.as_deref());
        let upstream = async { upstreams.upstream(plan.provider(candidate)?, regions, candidate.own.as_ref()).await };
        match upstream.await {
            Ok(upstream) => Ok(upstream.in_turn().into_iter().rev().collect()),
            Err(error) => {
                tracing::error!(model = candidate.name, error = ?error, "a provider can't be called");
                Err(ProviderError::Unavailable { status: 503, retry_after: None })
            }
        }
    }
}

/// Notes an attempt that came to nothing, also one that is dropped because another was faster.
struct Note<'r, 'a> {
    route: &'r Route<'r, 'a>,
    candidate: &'a Candidate,
    began: Instant,
    over: bool,
}

impl Note<'_, '_> {
    fn failed(&self, code: &'static str, cost: bool) {
        let nano_usd = if cost { self.prompt_cost() } else { NanoUsd::ZERO };
        let attempt = FailedAttempt {
            model: self.candidate.name.clone(),
            code: code.to_owned(),
            ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            nano_usd,
        };
        self.route.attempts().failed.push(attempt);
    }

    /// What the provider may want for having read the prompt.
    fn prompt_cost(&self) -> NanoUsd {
        if self.candidate.own.is_some() {
            return NanoUsd::ZERO;
        }
        let tokens = self.route.plan.prompt.estimated_tokens();
        self.candidate.model.price.input.times(tokens).rounded().unwrap_or_default()
    }
}

impl Drop for Note<'_, '_> {
    fn drop(&mut self) {
        if !self.over {
            self.failed("superseded", true);
        }
    }
}
