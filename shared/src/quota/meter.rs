//! A meter: what is left, held and spent of one cap, and what is left of one minute.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Counted, Hold, Limits, Need, Refusal, Scope};
use crate::{
    clock::{Period, Timestamp},
    error::{Error, Result},
    webhook::Measure,
};

/// Stands for "not limited" in a meter, which always counts: 10^15 tokens or a million USD.
const UNLIMITED: u64 = 1_000_000_000_000_000;

/// A meter: one tenant's (or sub-meter's, or key's) month.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meter {
    /// Tokens that remain. Below zero only after a cap was lowered.
    pub tokens_left: i64,
    /// Nano-USD that remain.
    pub nano_usd_left: i64,
    /// Tokens of settled requests.
    pub tokens_spent: u64,
    /// Nano-USD of settled requests.
    pub nano_usd_spent: u64,
    /// Settled requests.
    pub requests: u64,
    /// The cap in tokens. Below zero only in a sub-meter that had lent more than it kept when the cap was lowered.
    pub cap_tokens: i64,
    /// The cap in nano-USD.
    pub cap_nano_usd: i64,
    /// The limit in tokens that the cap was last set by. Sub-meters lend each other parts of their caps, not of this.
    pub limit_tokens: u64,
    /// The limit in nano-USD that the cap was last set by.
    pub limit_nano_usd: u64,
    /// The minute that the two figures below belong to.
    pub window: u64,
    /// Requests that remain in the window.
    pub window_requests: i64,
    /// Tokens that remain in the window.
    pub window_tokens: i64,
    /// What is held, by request.
    #[serde(default)]
    pub holds: HashMap<String, Hold>,
}

impl Meter {
    /// A meter on which nothing was used.
    #[must_use]
    pub fn open(limits: &Limits) -> Self {
        let (cap_tokens, cap_nano_usd) = caps(limits);
        Self {
            tokens_left: signed(cap_tokens),
            nano_usd_left: signed(cap_nano_usd),
            cap_tokens: signed(cap_tokens),
            cap_nano_usd: signed(cap_nano_usd),
            limit_tokens: cap_tokens,
            limit_nano_usd: cap_nano_usd,
            ..Self::default()
        }
    }

    /// The same with other figures of what was spent; what remains makes up for it.
    ///
    /// # Errors
    /// `Internal` if the figures are beyond what a meter counts.
    pub fn having_spent(&self, requests: u64, tokens: u64, nano_usd: u64) -> Result<Self> {
        let (held_tokens, held_nano_usd) = self.held();
        let left = |cap: i64, held: u64, spent: u64| {
            let used = i64::try_from(held.checked_add(spent)?).ok()?;
            cap.checked_sub(used)
        };
        let overflow = || Error::internal("a meter overflows");
        Ok(Self {
            requests,
            tokens_spent: tokens,
            nano_usd_spent: nano_usd,
            tokens_left: left(self.cap_tokens, held_tokens, tokens).ok_or_else(overflow)?,
            nano_usd_left: left(self.cap_nano_usd, held_nano_usd, nano_usd).ok_or_else(overflow)?,
            ..self.clone()
        })
    }

    /// What is held in tokens and in nano-USD.
    #[must_use]
    pub fn held(&self) -> (u64, u64) {
        self.holds.values().fold((0, 0), |(tokens, cost), hold| (tokens + hold.need().tokens(), cost + hold.cost.0))
    }

    /// Whether `left + held + spent = cap` holds.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let (tokens, cost) = self.held();
        self.tokens_left + signed(tokens + self.tokens_spent) == self.cap_tokens
            && self.nano_usd_left + signed(cost + self.nano_usd_spent) == self.cap_nano_usd
    }

    /// The monthly limits that its cap was last set by.
    #[must_use]
    pub fn monthly(&self) -> Limits {
        let (monthly_tokens, monthly_nano_usd) = (self.cap_of(Measure::Tokens), self.cap_of(Measure::Money));
        Limits { monthly_tokens, monthly_nano_usd, ..Limits::default() }
    }

    /// The limit that its cap was last set by; `None` if there is none.
    pub(crate) fn cap_of(&self, measure: Measure) -> Option<u64> {
        let limit = match measure {
            Measure::Tokens => self.limit_tokens,
            Measure::Money => self.limit_nano_usd,
        };
        (limit < UNLIMITED).then_some(limit)
    }

    /// What settled requests have used.
    pub(crate) fn spent_of(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Tokens => self.tokens_spent,
            Measure::Money => self.nano_usd_spent,
        }
    }

    /// Whether the cap was last set by these limits.
    pub(super) fn is_capped_by(&self, limits: &Limits) -> bool {
        (self.limit_tokens, self.limit_nano_usd) == caps(limits)
    }

    /// The meter after its cap was moved to these limits; what remains moves by the same difference.
    pub(super) fn recapped(mut self, limits: &Limits) -> Self {
        let (tokens, nano_usd) = caps(limits);
        let more = (signed(tokens) - signed(self.limit_tokens), signed(nano_usd) - signed(self.limit_nano_usd));
        self.tokens_left += more.0;
        self.cap_tokens += more.0;
        self.nano_usd_left += more.1;
        self.cap_nano_usd += more.1;
        (self.limit_tokens, self.limit_nano_usd) = (tokens, nano_usd);
        self
    }

    /// A meter of which nothing is known but that its window is full.
    pub(super) fn unseen(window: u64, limits: &Limits) -> Self {
        Self { tokens_left: i64::MAX, nano_usd_left: i64::MAX, ..Self::default() }.in_window(window, limits)
    }

    /// The meter as it stands in `window`: a new minute begins with full limits.
    pub(super) fn in_window(mut self, window: u64, limits: &Limits) -> Self {
        if self.window < window {
            let (requests, tokens) = rates(limits);
            (self.window, self.window_requests, self.window_tokens) = (window, signed(requests), signed(tokens));
        }
        self
    }

    /// Takes a request's worst case out, or says why not.
    pub(super) fn take(
        &mut self,
        need: &Need,
        scope: Scope,
        month: Period,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        let (tokens, cost) = (signed(need.tokens()), signed(need.cost.0));
        let quota = |what, left: i64, needed| Refusal::Quota {
            scope,
            what,
            left: left.max(0).cast_unsigned(),
            needed,
            resets: month.end(),
        };
        let rate = |what, limit: Option<u64>| Refusal::Rate {
            scope,
            what,
            limit: limit.unwrap_or(UNLIMITED),
            retry_after: Timestamp((self.window + 1) * 60_000).since(now).max(Duration::from_secs(1)),
        };
        if self.tokens_left < tokens {
            return Err(quota(Counted::Tokens, self.tokens_left, need.tokens()));
        }
        if self.nano_usd_left < cost {
            return Err(quota(Counted::Money, self.nano_usd_left, need.cost.0));
        }
        if self.window_requests < 1 {
            return Err(rate(Counted::Requests, limits.requests_per_minute));
        }
        if self.window_tokens < tokens {
            return Err(rate(Counted::Tokens, limits.tokens_per_minute));
        }
        self.tokens_left -= tokens;
        self.nano_usd_left -= cost;
        self.window_requests -= 1;
        self.window_tokens -= tokens;
        Ok(())
    }
}

/// The caps that limits set, in tokens and in nano-USD.
pub(super) fn caps(limits: &Limits) -> (u64, u64) {
    let cap = |limit: Option<u64>| limit.unwrap_or(UNLIMITED).min(UNLIMITED);
    (cap(limits.monthly_tokens), cap(limits.monthly_nano_usd))
}

/// The limits of a minute, in requests and in tokens.
pub(super) fn rates(limits: &Limits) -> (u64, u64) {
    let rate = |limit: Option<u64>| limit.unwrap_or(UNLIMITED).min(UNLIMITED);
    (rate(limits.requests_per_minute), rate(limits.tokens_per_minute))
}

pub(super) fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Tokens;
    use proptest::prelude::*;

    fn need(tokens: u64) -> Need {
        Need { input: Tokens(tokens), ..Need::default() }
    }

    fn take(meter: &mut Meter, tokens: u64, limits: &Limits) -> Result<(), Refusal> {
        let now = Timestamp(61_000);
        *meter = meter.clone().in_window(now.minute(), limits);
        meter.take(&need(tokens), Scope::Tenant, Period::month(now), now, limits)
    }

    #[test]
    fn the_last_token_is_admitted_and_not_one_more() {
        let limits = Limits { monthly_tokens: Some(10), ..Limits::default() };
        let mut meter = Meter::open(&limits);
        assert_eq!(take(&mut meter, 10, &limits), Ok(()));
        assert!(matches!(take(&mut meter, 1, &limits), Err(Refusal::Quota { left: 0, needed: 1, .. })));
    }

    #[test]
    fn a_new_minute_begins_with_the_full_limit() {
        let limits = Limits { requests_per_minute: Some(1), ..Limits::default() };
        let mut meter = Meter::open(&limits);
        assert_eq!(take(&mut meter, 1, &limits), Ok(()));
        assert!(matches!(take(&mut meter, 1, &limits), Err(Refusal::Rate { .. })));
        let mut meter = meter.in_window(2, &limits);
        assert_eq!(
            meter.take(&need(1), Scope::Tenant, Period::month(Timestamp(0)), Timestamp(121_000), &limits),
            Ok(())
        );
    }

    proptest! {
        #[test]
        fn shares_add_up_to_the_whole(whole in 0..1_000_000_u64, shards in 1..64_u8) {
            let limits = Limits { monthly_tokens: Some(whole), ..Limits::default() };
            let sum: u64 = (0..shards).map(|shard| limits.share(shard, shards).monthly_tokens.unwrap()).sum();
            prop_assert_eq!(sum, whole);
        }

        #[test]
        fn a_cap_that_moves_keeps_the_balance(before in 0..2_000_u64, after in 0..2_000_u64, used in 0..2_000_u64) {
            let limits = |tokens| Limits { monthly_tokens: Some(tokens), ..Limits::default() };
            let mut meter = Meter::open(&limits(before));
            meter.tokens_spent = used.min(before);
            meter.tokens_left -= signed(meter.tokens_spent);
            let meter = meter.recapped(&limits(after));
            prop_assert!(meter.is_balanced() && meter.is_capped_by(&limits(after)));
            prop_assert_eq!(meter.cap_tokens, signed(after));
        }

        #[test]
        fn no_order_of_requests_takes_more_than_the_cap(cap in 0..2_000_u64, asked in prop::collection::vec(0..200_u64, 0..50)) {
            let limits = Limits { monthly_tokens: Some(cap), ..Limits::default() };
            let mut meter = Meter::open(&limits);
            let taken: u64 = asked.into_iter().filter(|tokens| take(&mut meter, *tokens, &limits).is_ok()).sum();
            prop_assert!(taken <= cap);
            prop_assert_eq!(meter.tokens_left, signed(cap - taken));
        }
    }
}
