//! The rule of throttling: how long to wait after so many failures. Pure; [`super::counter`] keeps the count.

use std::time::Duration;

use crate::clock::Timestamp;

/// How often something may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    /// How many failures cost nothing.
    pub free: u32,
    /// The wait after the first one that does; it doubles with each further one.
    pub first: Duration,
    /// The longest wait.
    pub cap: Duration,
    /// How long it takes until one failure is forgotten.
    pub forgotten: Duration,
}

/// Attempts on an account: the cap is reached after 15 failures, and a guesser then has 96 guesses a day, wherever they
/// come from.
pub(super) const ACCOUNT: Limit =
    Limit { free: 5, first: Duration::from_secs(1), cap: Duration::from_mins(15), forgotten: Duration::from_mins(30) };

/// Attempts from an address, on whatever accounts: an office behind one address mistypes now and then.
pub(super) const ADDRESS: Limit =
    Limit { free: 30, first: Duration::from_secs(1), cap: Duration::from_mins(15), forgotten: Duration::from_mins(1) };

/// Mails to somebody who may not have asked for them.
pub(super) const MAILS: Limit =
    Limit { free: 3, first: Duration::from_mins(1), cap: Duration::from_hours(1), forgotten: Duration::from_hours(2) };

/// Mails that an address asks for, to whomever.
pub(super) const MAILS_OF_ADDRESS: Limit =
    Limit { free: 10, first: Duration::from_secs(10), cap: Duration::from_hours(1), forgotten: Duration::from_mins(5) };

/// Deliveries that a tenant wants to have at once: to try its webhooks, or because they failed before.
pub(super) const TRIALS: Limit =
    Limit { free: 60, first: Duration::from_secs(1), cap: Duration::from_mins(1), forgotten: Duration::from_secs(10) };

/// Payments that a tenant wants to make: whoever tries stolen cards needs many.
pub(super) const PAYING: Limit =
    Limit { free: 10, first: Duration::from_mins(1), cap: Duration::from_hours(1), forgotten: Duration::from_mins(10) };

/// Coupons that a tenant tries.
pub(super) const COUPONS: Limit =
    Limit { free: 10, first: Duration::from_secs(10), cap: Duration::from_mins(15), forgotten: Duration::from_mins(5) };

impl Limit {
    /// What counts after an attempt at `now`, when `failures` were counted, the last `at` that time.
    ///
    /// # Errors
    /// How long it has to wait, if it comes too early.
    pub fn admit(&self, failures: u32, at: Timestamp, now: Timestamp) -> Result<u32, Duration> {
        let (wait, passed) = (self.wait(failures), now.since(at));
        if let Some(left) = wait.checked_sub(passed).filter(|left| !left.is_zero()) {
            return Err(left);
        }
        let forgotten = u32::try_from(passed.as_millis() / self.forgotten.as_millis()).unwrap_or(u32::MAX);
        // More than what leads to the cap would only take longer to be forgotten.
        Ok(failures.saturating_sub(forgotten).saturating_add(1).min(self.most()))
    }

    /// How long it takes until all of `failures` are forgotten.
    pub fn memory(&self, failures: u32) -> Duration {
        self.forgotten.saturating_mul(failures).max(self.wait(failures))
    }

    /// How long to wait after so many failures.
    fn wait(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(self.free) else { return Duration::ZERO };
        self.first.saturating_mul(2_u32.saturating_pow(doublings)).min(self.cap)
    }

    fn most(&self) -> u32 {
        let mut most = self.free;
        while self.wait(most) < self.cap {
            most += 1;
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp(1_000_000_000_000);
    const ALL: [Limit; 5] = [ACCOUNT, ADDRESS, MAILS, MAILS_OF_ADDRESS, TRIALS];

    #[test]
    fn the_first_failures_cost_nothing_and_then_the_wait_doubles_up_to_the_cap() {
        let waits: Vec<u64> = (0..18).map(|failures| ACCOUNT.wait(failures).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    }

    #[test]
    fn an_attempt_that_comes_too_early_is_told_how_long_to_wait() {
        let (now, at) = (START.after(Duration::from_secs(3)), START);
        assert_eq!(ACCOUNT.admit(9, at, now), Err(Duration::from_secs(13)));
        assert_eq!(ACCOUNT.admit(9, at, START.after(Duration::from_secs(16))), Ok(10));
    }

    #[test]
    fn failures_are_forgotten_one_by_one() {
        let after = |minutes| START.after(Duration::from_mins(minutes));
        assert_eq!(ACCOUNT.admit(4, START, after(29)), Ok(5));
        assert_eq!(ACCOUNT.admit(4, START, after(60)), Ok(3));
        assert_eq!(ACCOUNT.admit(15, START, after(100_000)), Ok(1));
    }

    #[test]
    fn a_guesser_who_never_rests_has_about_a_hundred_guesses_a_day() {
        let (mut failures, mut at, mut guesses) = (0, START, 0);
        while at < START.after(Duration::from_hours(24)) {
            match ACCOUNT.admit(failures, at, at) {
                Ok(more) => (failures, guesses) = (more, guesses + 1),
                Err(wait) => {
                    at = at.after(wait);
                    failures = ACCOUNT.admit(failures, at.before(wait), at).unwrap();
                    guesses += 1;
                }
            }
        }
        assert!((96..=112).contains(&guesses), "{guesses}");
    }

    proptest! {
        #[test]
        fn nobody_waits_longer_than_the_cap(failures in 0..u32::MAX, which in 0..5_usize) {
            let limit = ALL[which];
            prop_assert!(limit.wait(failures) <= limit.cap);
            let count = limit.admit(failures, START, START.after(limit.cap)).unwrap();
            prop_assert!(count <= limit.most());
            prop_assert!(limit.memory(count) <= Duration::from_hours(48), "{count}");
        }

        #[test]
        fn what_is_forgotten_may_be_deleted(failures in 0..80_u32, which in 0..5_usize) {
            let limit = ALL[which];
            prop_assert_eq!(limit.admit(failures, START, START.after(limit.memory(failures))), Ok(1));
        }
    }
}
