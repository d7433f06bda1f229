//! What can go wrong with a call of Stripe, as far as somebody does something about it.

use std::time::Duration;

use super::Intent;
use crate::error::Error;

/// Why a call of Stripe came to nothing. Its words are kept out: they quote what they refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StripeError {
    /// The deployment has no keys of Stripe's.
    #[error("this deployment has no account at Stripe")]
    Off,
    /// The card's issuer or the bank refuses (`card_error`). The payment exists, and is not paid.
    #[error("the payment was declined ({reason})")]
    Declined {
        /// Why: the `decline_code`, else the `code`.
        reason: String,
        /// Whether the buyer can authenticate and have it paid (`authentication_required`).
        authenticate: bool,
        /// The payment.
        intent: Option<Box<Intent>>,
    },
    /// What was asked for can't be, and won't be if it is asked again (`invalid_request_error`).
    #[error("Stripe refused the request ({code})")]
    Refused {
        /// Its code, or its type if it has none.
        code: String,
        /// The payment that it is about.
        intent: Option<Box<Intent>>,
    },
    /// There is no such thing in this account.
    #[error("there is no such thing at Stripe")]
    Missing,
    /// The idempotency key was used with other parameters: a defect of ours, or somebody else's key.
    #[error("an idempotency key was used for something else")]
    KeyMismatch,
    /// The secret key is wrong, or may not do this.
    #[error("Stripe doesn't accept the secret key")]
    Credentials,
    /// Too many requests, or the same one at the same time. Nothing was done.
    #[error("Stripe asks to come back later")]
    Busy(Option<Duration>),
    /// It failed, and whether it did what was asked isn't known. Asked again with the same key it says the same, if this
    /// was said before.
    #[error("Stripe failed with status {status}")]
    Failed {
        /// The status.
        status: u16,
        /// Whether this is a response that was given before.
        replayed: bool,
    },
    /// No answer, or not all of it: whether it did what was asked isn't known.
    #[error("no answer from Stripe ({0})")]
    Unanswered(&'static str),
    /// The keys can't be read.
    #[error("the keys of Stripe can't be read")]
    NoKeys,
}

impl StripeError {
    /// Whether trying again right now, with the same key, may help.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Unanswered(_) | Self::Failed { replayed: false, .. } => true,
            Self::Failed { replayed: true, .. }
            | Self::Off
            | Self::NoKeys
            | Self::Declined { .. }
            | Self::Refused { .. }
            | Self::Missing
            | Self::KeyMismatch
            | Self::Credentials => false,
        }
    }
}

impl From<StripeError> for Error {
    fn from(error: StripeError) -> Self {
        match &error {
            StripeError::Off | StripeError::Declined { .. } | StripeError::Refused { .. } | StripeError::Missing => {
                Self::Conflict(error.to_string())
            }
            StripeError::KeyMismatch => Self::internal(error),
            StripeError::Credentials
            | StripeError::NoKeys
            | StripeError::Busy(_)
            | StripeError::Failed { .. }
            | StripeError::Unanswered(_) => Self::Unavailable(error.into()),
        }
    }
}
