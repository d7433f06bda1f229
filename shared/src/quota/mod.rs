//! Caps and rate limits: the rules, without a database. A request is admitted by taking the worst that it can cost out
//! of what remains of a meter; when it is done, what was not used is given back.
//!
//! Invariant, for every meter at every moment: `left + held + spent = cap`.

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
mod meter;
mod meters;
mod refusal;
mod sent;

pub use meter::Meter;
pub use meters::{Account, Meters, Settlement};
pub use refusal::{Counted, Refusal, Scope};

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

    /// Fails if not even a whole minute allows it.
    pub(crate) fn ever_allow(&self, need: &Need, scope: Scope) -> Result<(), Refusal> {
        match self.tokens_per_minute.filter(|limit| *limit < need.tokens()) {
            Some(limit) => Err(Refusal::NeverFits { scope, needed: need.tokens(), limit }),
            None => Ok(()),
        }
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
    /// The larger of both, kind by kind.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cost: self.cost.max(other.cost),
        }
    }

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
    /// Whether it is asked with a key of the tenant's own, so that its tokens cost nothing.
    #[serde(rename = "b", default, skip_serializing_if = "std::ops::Not::not")]
    pub byok: bool,
}

impl Hold {
    /// What was taken out of the meter.
    #[must_use]
    pub fn need(&self) -> Need {
        Need { input: self.input, output: self.output, cost: self.cost }
    }
}

/// The marker of a tenant that has a meter in a month.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Active {
    /// Hours before this one are counted to their end.
    pub closed_before: Timestamp,
    /// The highest part of the month's cap in tokens that the tenant was told of, in percent.
    #[serde(default)]
    pub alerted_tokens: u8,
    /// The same of its cap in money.
    #[serde(default)]
    pub alerted_nano_usd: u8,
}

impl Active {
    /// The marker of a month that begins with this hour.
    pub fn since(closed_before: Timestamp) -> Self {
        Self { closed_before, alerted_tokens: 0, alerted_nano_usd: 0 }
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

impl Rate {
    /// Of each limit the one that leaves less.
    #[must_use]
    pub fn tighter(mut self, other: Self) -> Self {
        if other.requests < self.requests {
            (self.requests, self.limits.requests_per_minute) = (other.requests, other.limits.requests_per_minute);
        }
        if other.tokens < self.tokens {
            (self.tokens, self.limits.tokens_per_minute) = (other.tokens, other.limits.tokens_per_minute);
        }
        Self { resets: self.resets.max(other.resets), ..self }
    }
}

/// Proof that a request was admitted: what it costs at worst is held for it. Only [`Meters::hold`] makes one, and a
/// model can't be called without.
#[derive(Debug, Clone)]
pub struct Grant {
    request: RequestId,
    /// The minute in which it was admitted on the key's own meter, if it has one.
    key_window: Option<u64>,
    shard: u8,
    month: Period,
    /// The minute in which it was admitted on the tenant's meter.
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

    #[test]
    fn a_request_larger_than_a_minute_is_told_so() {
        let limits = Limits { tokens_per_minute: Some(5), ..Limits::default() };
        let need = Need { input: Tokens(6), ..Need::default() };
        assert!(matches!(limits.ever_allow(&need, Scope::Key), Err(Refusal::NeverFits { needed: 6, limit: 5, .. })));
    }

    #[test]
    fn of_two_rates_each_limit_that_leaves_less_is_told() {
        let rate = |requests, tokens| Rate {
            limits: Limits {
                requests_per_minute: Some(requests),
                tokens_per_minute: Some(tokens),
                ..Limits::default()
            },
            requests,
            tokens,
            resets: Timestamp(1),
        };
        assert_eq!(rate(10, 500).tighter(rate(20, 100)), rate(10, 100));
    }
}
