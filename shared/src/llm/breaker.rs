//! A circuit breaker: an endpoint that fails again and again is left alone for a while, then probed by one request at a
//! time, until one succeeds. It lives in the process; each Lambda instance learns for itself.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{ProviderError, catalogue::BreakerSpec};

/// The breaker of one endpoint.
#[derive(Debug)]
pub struct Breaker {
    spec: BreakerSpec,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Requests pass; so many in a row have failed.
    Closed { failures: u32 },
    /// None passes before this time; behind it, one does.
    Open { until: Instant },
    /// One that was let through is on its way.
    Probing,
}

/// Leave to send one request. It must be told how that went; one that is dropped says nothing.
#[derive(Debug)]
pub struct Pass {
    breaker: Arc<Breaker>,
    /// Whether the endpoint is judged by this request alone.
    probe: bool,
    told: bool,
}

impl Breaker {
    /// A closed one.
    #[must_use]
    pub fn new(spec: BreakerSpec) -> Arc<Self> {
        Arc::new(Self { spec, state: Mutex::new(State::Closed { failures: 0 }) })
    }

    /// Leave to send a request now.
    ///
    /// # Errors
    /// How long to wait, if the endpoint is left alone.
    pub fn pass(self: &Arc<Self>, now: Instant) -> Result<Pass, Duration> {
        let mut state = self.state();
        let probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } if until > now => return Err(until - now),
            State::Open { .. } => true,
            State::Probing => return Err(Duration::from_millis(self.spec.open_ms)),
        };
        if probe {
            *state = State::Probing;
        }
        Ok(Pass { breaker: Arc::clone(self), probe, told: false })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, now: Instant, at_least: Option<Duration>) -> State {
        let wait = Duration::from_millis(self.spec.open_ms);
        State::Open { until: super::body::after(now, wait.max(at_least.unwrap_or_default())) }
    }
}

impl Pass {
    /// The endpoint answered.
    pub fn succeeded(mut self) {
        self.told = true;
        *self.breaker.state() = State::Closed { failures: 0 };
    }

    /// The endpoint failed with `error`. A refusal of the request itself, or of the tenant's own key, speaks for the
    /// endpoint.
    pub fn failed(mut self, error: &ProviderError, now: Instant) {
        if error.is_callers() || *error == ProviderError::KeyRefused {
            return self.succeeded();
        }
        self.told = true;
        let mut state = self.breaker.state();
        let failures = match *state {
            State::Closed { failures } => failures.saturating_add(1),
            State::Probing if self.probe => self.breaker.spec.failures,
            // Another request has opened it since.
            State::Probing | State::Open { .. } => return,
        };
        *state = if failures >= self.breaker.spec.failures {
            self.breaker.open(now, error.retry_after())
        } else {
            State::Closed { failures }
        };
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe && !self.told {
            // The probe was given up: the next request is one.
            *self.breaker.state() = State::Open { until: Instant::now() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: BreakerSpec = BreakerSpec { failures: 3, open_ms: 1_000 };
    const OPEN: Duration = Duration::from_millis(SPEC.open_ms);

    fn fail(breaker: &Arc<Breaker>, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.pass(now).unwrap().failed(&ProviderError::Connect, now);
        }
    }

    #[tokio::test]
    async fn it_opens_after_so_many_failures_in_a_row() {
        let (breaker, now) = (Breaker::new(SPEC), Instant::now());
        fail(&breaker, 2, now);
        breaker.pass(now).unwrap().succeeded();
        fail(&breaker, 2, now);
        assert!(breaker.pass(now).is_ok());
        fail(&breaker, 1, now);
        assert_eq!(breaker.pass(now).unwrap_err(), OPEN);
    }

    #[tokio::test]
    async fn one_request_at_a_time_probes_it() {
        let (breaker, now) = (Breaker::new(SPEC), Instant::now());
        fail(&breaker, 3, now);
        let later = now + OPEN;
        let probe = breaker.pass(later).unwrap();
        assert!(breaker.pass(later).is_err());
        probe.succeeded();
        assert!(breaker.pass(later).is_ok());
    }

    #[tokio::test]
    async fn a_failed_probe_opens_it_again() {
        let (breaker, now) = (Breaker::new(SPEC), Instant::now());
        fail(&breaker, 3, now);
        fail(&breaker, 1, now + OPEN);
        assert_eq!(breaker.pass(now + OPEN).unwrap_err(), OPEN);
    }

    #[tokio::test]
    async fn a_probe_that_was_given_up_leaves_room_for_the_next() {
        let (breaker, now) = (Breaker::new(SPEC), Instant::now());
        fail(&breaker, 3, now);
        drop(breaker.pass(now + OPEN).unwrap());
        assert!(breaker.pass(now + OPEN).is_ok());
    }

    #[tokio::test]
    async fn what_is_the_callers_fault_does_not_count() {
        let (breaker, now) = (Breaker::new(SPEC), Instant::now());
        for _ in 0..10 {
            breaker.pass(now).unwrap().failed(&ProviderError::unsupported("n", "no"), now);
        }
        assert!(breaker.pass(now).is_ok());
    }

    #[tokio::test]
    async fn retry_after_keeps_it_open_for_longer() {
        let (breaker, now) = (Breaker::new(SPEC), Instant::now());
        let limited = ProviderError::RateLimited { retry_after: Some(OPEN * 9) };
        for _ in 0..3 {
            breaker.pass(now).unwrap().failed(&limited, now);
        }
        assert_eq!(breaker.pass(now).unwrap_err(), OPEN * 9);
    }
}
