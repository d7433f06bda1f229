//! Amounts with their unit in the type. All arithmetic is checked: an overflow is an error, never a small invoice.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};

/// Nano-USD in one USD.
pub const NANOS_PER_USD: u64 = 1_000_000_000;

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// The sum, or an internal error on overflow.
            ///
            /// # Errors
            /// `Error::Internal` if the sum doesn't fit.
            pub fn plus(self, other: Self) -> Result<Self> {
                self.0.checked_add(other.0).map(Self).ok_or_else(|| Error::internal("amount overflows"))
            }

            /// The difference, zero if `other` is larger.
            #[must_use]
            pub fn minus_or_zero(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }
    };
}

amount! {
    /// A number of tokens.
    Tokens
}
amount! {
    /// An amount of money in nano-USD (10^-9 USD).
    NanoUsd
}
amount! {
    /// A price in nano-USD per million tokens: 1 USD per million is 1,000,000,000.
    PricePerMillion
}

impl PricePerMillion {
    /// The price for a figure in USD per million tokens, as catalogues write it; `None` if it is negative, not finite
    /// or beyond 1,000,000 USD.
    #[must_use]
    pub fn from_usd(usd: f64) -> Option<Self> {
        if !(0.0..=1_000_000.0).contains(&usd) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked above")]
        #[expect(clippy::cast_precision_loss, reason = "10^9 is exact")]
        let nanos = (usd * NANOS_PER_USD as f64).round() as u64;
        Some(Self(nanos))
    }

    /// Tokens times price, in units of 10^-15 USD, so that nothing is rounded yet.
    #[must_use]
    pub fn times(self, tokens: Tokens) -> FemtoUsd {
        FemtoUsd(u128::from(self.0) * u128::from(tokens.0))
    }
}

/// An exact, unrounded amount in femto-USD (10^-15 USD): a nano-USD price per million times a number of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FemtoUsd(u128);

impl FemtoUsd {
    const PER_NANO: u128 = 1_000_000;

    /// The sum, or an internal error on overflow.
    ///
    /// # Errors
    /// `Error::Internal` if the sum doesn't fit.
    pub fn plus(self, other: Self) -> Result<Self> {
        self.0.checked_add(other.0).map(Self).ok_or_else(|| Error::internal("amount overflows"))
    }

    /// Rounded half up to a nano-USD: what an event costs.
    ///
    /// # Errors
    /// `Error::Internal` if it doesn't fit.
    pub fn rounded(self) -> Result<NanoUsd> {
        Self::fit((self.0 + Self::PER_NANO / 2) / Self::PER_NANO)
    }

    /// Rounded up to a nano-USD: what is held, so that it is never less than what is charged.
    ///
    /// # Errors
    /// `Error::Internal` if it doesn't fit.
    pub fn rounded_up(self) -> Result<NanoUsd> {
        Self::fit(self.0.div_ceil(Self::PER_NANO))
    }

    fn fit(nanos: u128) -> Result<NanoUsd> {
        u64::try_from(nanos).map(NanoUsd).map_err(|_| Error::internal("amount overflows"))
    }
}

impl NanoUsd {
    /// As a decimal USD text without loss: `0.000012345`.
    #[must_use]
    pub fn to_usd(self) -> String {
        let (whole, rest) = (self.0 / NANOS_PER_USD, self.0 % NANOS_PER_USD);
        let text = format!("{whole}.{rest:09}");
        let trimmed = text.trim_end_matches('0');
        if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fifteen_cents_per_million_is_exact() {
        assert_eq!(PricePerMillion::from_usd(0.15), Some(PricePerMillion(150_000_000)));
    }

    #[test]
    fn a_negative_price_is_refused() {
        assert_eq!(PricePerMillion::from_usd(-0.01), None);
        assert_eq!(PricePerMillion::from_usd(f64::NAN), None);
    }

    #[test]
    fn a_sum_that_overflows_is_an_error() {
        assert!(Tokens(u64::MAX).plus(Tokens(1)).is_err());
        assert!(PricePerMillion(u64::MAX).times(Tokens(u64::MAX)).rounded().is_err());
    }

    #[test]
    fn usd_text_keeps_every_nano() {
        assert_eq!(NanoUsd(1).to_usd(), "0.000000001");
        assert_eq!(NanoUsd(1_500_000_000).to_usd(), "1.5");
        assert_eq!(NanoUsd(0).to_usd(), "0.0");
    }

    proptest! {
        #[test]
        fn what_is_held_is_never_less_than_what_is_charged(price in 0..10_000_000_000_u64, tokens in 0..10_000_000_u64, used in 0..10_000_000_u64) {
            let price = PricePerMillion(price);
            let (held, used) = (tokens.max(used), tokens.min(used));
            prop_assert!(price.times(Tokens(used)).rounded().unwrap() <= price.times(Tokens(held)).rounded_up().unwrap());
        }

        #[test]
        fn splitting_tokens_changes_no_exact_amount(price in 0..10_000_000_000_u64, a in 0..1_000_000_000_u64, b in 0..1_000_000_000_u64) {
            let price = PricePerMillion(price);
            prop_assert_eq!(price.times(Tokens(a)).plus(price.times(Tokens(b))).unwrap(), price.times(Tokens(a + b)));
        }
    }
}
