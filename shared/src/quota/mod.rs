//! Caps and rate limits: the rules, without a database. A request is admitted by taking the worst that it can cost out
//! of what remains of a meter; when it is done, what was not used is given back.
//!
//! Invariant, for every meter at every moment: `left + held + spent = cap`.

use std::{collections::HashMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    clock::{Period, Timestamp},
    id::{KeyId, RequestId},
    money::{NanoUsd, Tokens},
};

mod expression;
mod flight;
mod gather;
mod meters;

pub use meters::{Account, Meters, Settlement};

/// What a tenant or a key may use. What is absent is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Tokens in a minute, input and output together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Tokens in a UTC month, input and output together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_tokens: Option<u64>,
    /// Money in a UTC month, in nano-USD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_nano_usd: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// The part of sub-meter `shard` out of `shards`; the parts add up to the whole.
    #[must_use]
    pub fn share(&self, shard: u8, shards: u8) -> Self {
        let (shard, shards) = (u64::from(shard), u64::from(shards.max(1)));
        let part = |whole: Option<u64>| whole.map(|whole| whole / shards + u64::from(shard < whole % shards));
        Self {
            requests_per_minute: part(self.requests_per_minute),
            tokens_per_minute: part(self.tokens_per_minute),
            monthly_tokens: part(self.monthly_tokens),
            monthly_nano_usd: part(self.monthly_nano_usd),
        }
    }
}

/// Stands for "not limited" in a meter, which always counts: 10^15 tokens or a million USD.
const UNLIMITED: u64 = 1_000_000_000_000_000;

/// The worst that a request can cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Need {
    /// Bound of the prompt's tokens.
    pub input: Tokens,
    /// Bound of the answer's tokens, all choices together.
    pub output: Tokens,
    /// Bound of its price.
    pub cost: NanoUsd,
}

impl Need {
    /// Input and output together.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.input.0.saturating_add(self.output.0)
    }
}

/// What a meter keeps of an admitted request until it is settled: enough to bill it if its instance dies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Bound of the prompt's tokens.
    #[serde(rename = "i")]
    pub input: Tokens,
    /// Bound of the answer's tokens.
    #[serde(rename = "o")]
    pub output: Tokens,
    /// Bound of its price.
    #[serde(rename = "c")]
    pub cost: NanoUsd,
    /// After this, in milliseconds, nobody works on the request any more.
    #[serde(rename = "d")]
    pub deadline: Timestamp,
    /// The key that asked.
    #[serde(rename = "k")]
    pub key: KeyId,
    /// The model, as the catalogue calls it.
    #[serde(rename = "m")]
    pub model: String,
    /// The version of the catalogue whose prices apply.
    #[serde(rename = "v")]
    pub prices: String,
}

impl Hold {
    /// What was taken out of the meter.
    #[must_use]
    pub fn need(&self) -> Need {
        Need { input: self.input, output: self.output, cost: self.cost }
    }
}

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
    /// The cap in tokens.
    pub cap_tokens: u64,
    /// The cap in nano-USD.
    pub cap_nano_usd: u64,
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
            cap_tokens,
            cap_nano_usd,
            limit_tokens: cap_tokens,
            limit_nano_usd: cap_nano_usd,
            ..Self::default()
        }
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
        self.tokens_left + signed(tokens + self.tokens_spent) == signed(self.cap_tokens)
            && self.nano_usd_left + signed(cost + self.nano_usd_spent) == signed(self.cap_nano_usd)
    }

    /// The meter as it stands in `window`: a new minute begins with full limits.
    fn in_window(mut self, window: u64, limits: &Limits) -> Self {
        if self.window < window {
            let (requests, tokens) = rates(limits);
            (self.window, self.window_requests, self.window_tokens) = (window, signed(requests), signed(tokens));
        }
        self
    }

    /// Takes a request's worst case out, or says why not.
    fn take(
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
        if let Some(limit) = limits.tokens_per_minute.filter(|limit| *limit < need.tokens()) {
            return Err(Refusal::NeverFits { scope, needed: need.tokens(), limit });
        }
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

/// The marker of a tenant that has a meter in a month.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Active {
    /// Hours before this one are counted to their end.
    pub closed_before: Timestamp,
}

fn caps(limits: &Limits) -> (u64, u64) {
    let cap = |limit: Option<u64>| limit.unwrap_or(UNLIMITED).min(UNLIMITED);
    (cap(limits.monthly_tokens), cap(limits.monthly_nano_usd))
}

fn rates(limits: &Limits) -> (u64, u64) {
    let rate = |limit: Option<u64>| limit.unwrap_or(UNLIMITED).min(UNLIMITED);
    (rate(limits.requests_per_minute), rate(limits.tokens_per_minute))
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The tenant's.
    Tenant,
    /// The key's own.
    Key,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
    /// Nano-USD.
    Money,
}

/// Why a request was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The month's cap has less left than the request may cost.
    Quota {
        /// Whose.
        scope: Scope,
        /// Tokens or money.
        what: Counted,
        /// What is left.
        left: u64,
        /// What the request may take.
        needed: u64,
        /// When the next month begins.
        resets: Timestamp,
    },
    /// The minute's limit is used up.
    Rate {
        /// Whose.
        scope: Scope,
        /// Requests or tokens.
        what: Counted,
        /// The limit for a minute.
        limit: u64,
        /// When the next minute begins; at least a second.
        retry_after: Duration,
    },
    /// The request may take more than any one minute allows.
    NeverFits {
        /// Whose.
        scope: Scope,
        /// What the request may take.
        needed: u64,
        /// The limit for a minute.
        limit: u64,
    },
}

impl Refusal {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Quota { .. } => "quota_exhausted",
            Self::Rate { .. } => "rate_limited",
            Self::NeverFits { .. } => "exceeds_rate_limit",
        }
    }

    /// Whether waiting a little helps.
    #[must_use]
    pub fn is_rate(&self) -> bool {
        matches!(self, Self::Rate { .. })
    }

    /// How long to wait from `now` until the limit is fresh; `None` if waiting doesn't help.
    #[must_use]
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        match self {
            Self::Quota { resets, .. } => Some(resets.since(now)),
            Self::Rate { retry_after, .. } => Some(*retry_after),
            Self::NeverFits { .. } => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = |scope: &Scope| match scope {
            Scope::Tenant => "tenant",
            Scope::Key => "API key",
        };
        let unit = |what: &Counted| match what {
            Counted::Requests => "requests",
            Counted::Tokens => "tokens",
            Counted::Money => "nano-USD",
        };
        match self {
            Self::Quota { scope, what, left, needed, resets } => write!(
                f,
                "the {}'s cap for this month has {left} {} left, and this request may take {needed}; it starts anew at {resets}",
                whose(scope),
                unit(what)
            ),
            Self::Rate { scope, what, limit, retry_after } => write!(
                f,
                "the {}'s limit of {limit} {} a minute is used up; try again in {} s",
                whose(scope),
                unit(what),
                retry_after.as_secs().max(1)
            ),
            Self::NeverFits { scope, needed, limit } => write!(
                f,
                "this request may take {needed} tokens, more than the {}'s limit of {limit} tokens a minute; lower max_tokens or shorten the prompt",
                whose(scope)
            ),
        }
    }
}

/// What remains in the minute, for the `RateLimit` header fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The limits that apply.
    pub limits: Limits,
    /// Requests that remain.
    pub requests: u64,
    /// Tokens that remain.
    pub tokens: u64,
    /// When the window ends.
    pub resets: Timestamp,
}

/// Proof that a request was admitted: what it costs at worst is held for it. Only [`Meters::hold`] makes one, and a
/// model can't be called without.
#[derive(Debug, Clone)]
pub struct Grant {
    request: RequestId,
    key_metered: bool,
    shard: u8,
    month: Period,
    window: u64,
    need: Need,
    rate: Rate,
}

impl Grant {
    /// The request that was admitted.
    #[must_use]
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// What is held.
    #[must_use]
    pub fn need(&self) -> Need {
        self.need
    }

    /// What remains in the minute.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn a_request_larger_than_a_minute_is_told_so() {
        let limits = Limits { tokens_per_minute: Some(5), ..Limits::default() };
        assert!(matches!(
            take(&mut Meter::open(&limits), 6, &limits),
            Err(Refusal::NeverFits { needed: 6, limit: 5, .. })
        ));
    }

    proptest! {
        #[test]
        fn shares_add_up_to_the_whole(whole in 0..1_000_000_u64, shards in 1..64_u8) {
            let limits = Limits { monthly_tokens: Some(whole), ..Limits::default() };
            let sum: u64 = (0..shards).map(|shard| limits.share(shard, shards).monthly_tokens.unwrap()).sum();
            prop_assert_eq!(sum, whole);
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
