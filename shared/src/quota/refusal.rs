//! Why a request was not admitted.

use std::{fmt, time::Duration};

use crate::clock::Timestamp;

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
