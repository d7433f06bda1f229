//! Trying a provider again: exponential back-off with full jitter, so that callers who failed together don't return
//! together, and never longer than the caller can wait.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep};

use super::ProviderError;

/// How often and how quickly to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The most attempts, the first included.
    pub attempts: u32,
    /// The longest wait after the first failure; it doubles with each further one.
    pub base: Duration,
    /// The longest wait of our own; a provider's `Retry-After` may be longer.
    pub cap: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 3, base: Duration::from_millis(200), cap: Duration::from_secs(5) }
    }
}

impl Retry {
    /// How long to wait after `failed` attempts (at least 1), the last with `error`; `None` to give up: the error is
    /// final, the attempts are used up, or the wait leaves nothing of `time_left`. `jitter` is a random number from 0
    /// to 1.
    ///
    /// The wait is what the provider asked for plus a random part of the back-off ("full jitter", AWS Architecture
    /// Blog, "Exponential Backoff And Jitter").
    #[must_use]
    pub fn wait(&self, failed: u32, error: &ProviderError, time_left: Duration, jitter: f64) -> Option<Duration> {
        // Whoever finds the circuit open is told at once.
        let open = matches!(error, ProviderError::CircuitOpen { .. });
        if !error.is_retryable() || open || failed >= self.attempts {
            return None;
        }
        let doubled = 2_u32.saturating_pow(failed.saturating_sub(1));
        let backoff = self.base.saturating_mul(doubled).min(self.cap).mul_f64(jitter.clamp(0.0, 1.0));
        let wait = error.retry_after().unwrap_or_default().saturating_add(backoff);
        (wait < time_left).then_some(wait)
    }
}

/// Calls `attempt` with 0, 1, ... until it succeeds or trying again is of no use. Returns what it made and how many
/// attempts failed before.
///
/// # Errors
/// That of the last attempt: one that isn't retryable, the one that used up the attempts, or one whose `Retry-After`
/// reaches beyond the `deadline`, at once.
pub async fn with_retry<T, F>(
    retry: Retry,
    deadline: Instant,
    mut attempt: impl FnMut(u32) -> F,
) -> Result<(T, u32), ProviderError>
where
    F: Future<Output = Result<T, ProviderError>>,
{
    let mut failed = 0;
    loop {
        let error = match attempt(failed).await {
            Ok(made) => return Ok((made, failed)),
            Err(error) => error,
        };
        failed += 1;
        let time_left = deadline.saturating_duration_since(Instant::now());
        match retry.wait(failed, &error, time_left, rand::random()) {
            Some(wait) => sleep(wait).await,
            None => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry { attempts: 5, base: Duration::from_millis(200), cap: Duration::from_millis(500) };
    const LONG: Duration = Duration::from_mins(1);

    fn limited(seconds: u64) -> ProviderError {
        ProviderError::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn the_wait_doubles_up_to_the_cap() {
        let waits = [1, 2, 3, 4].map(|failed| RETRY.wait(failed, &ProviderError::Connect, LONG, 1.0).unwrap());
        assert_eq!(waits.map(|wait| wait.as_millis()), [200, 400, 500, 500]);
    }

    #[test]
    fn jitter_takes_any_part_of_the_wait() {
        assert_eq!(RETRY.wait(1, &ProviderError::Timeout, LONG, 0.0), Some(Duration::ZERO));
        assert_eq!(RETRY.wait(1, &ProviderError::Timeout, LONG, 0.5), Some(Duration::from_millis(100)));
    }

    #[test]
    fn the_attempts_are_used_up() {
        assert_eq!(RETRY.wait(5, &ProviderError::Connect, LONG, 0.0), None);
    }

    #[test]
    fn the_callers_fault_is_not_tried_again() {
        for error in [ProviderError::Credentials, ProviderError::Cut, ProviderError::Malformed(String::new())] {
            assert_eq!(RETRY.wait(1, &error, LONG, 0.0), None);
        }
    }

    #[test]
    fn retry_after_is_the_least_wait() {
        assert_eq!(RETRY.wait(1, &limited(7), LONG, 0.5), Some(Duration::from_millis(7_100)));
    }

    #[test]
    fn retry_after_beyond_the_deadline_gives_up() {
        assert_eq!(RETRY.wait(1, &limited(60), LONG, 0.0), None);
    }

    #[tokio::test]
    async fn the_attempts_that_failed_are_counted() {
        let retry = Retry { base: Duration::ZERO, ..RETRY };
        let deadline = Instant::now() + LONG;
        let outcome = with_retry(
            retry,
            deadline,
            async |attempt| {
                if attempt < 2 { Err(ProviderError::Connect) } else { Ok(attempt) }
            },
        );
        assert_eq!(outcome.await, Ok((2, 2)));
    }

    #[tokio::test]
    async fn a_final_error_is_returned_at_once() {
        let mut attempts = 0;
        let outcome = with_retry(RETRY, Instant::now() + LONG, |_| {
            attempts += 1;
            async { Err::<(), _>(ProviderError::Credentials) }
        });
        assert_eq!(outcome.await, Err(ProviderError::Credentials));
        assert_eq!(attempts, 1);
    }
}
