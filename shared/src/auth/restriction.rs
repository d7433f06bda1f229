//! What somebody has still to do who has signed in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why an access token opens nothing but its person's own account. Done what is missing, a refreshed one opens more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// The link in the mail to the person's address wasn't opened yet.
    EmailUnverified,
    /// The tenant demands a second factor, and the sign-in was without.
    SecondFactorMissing,
}

impl Restriction {
    /// As it is written in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmailUnverified => "email_unverified",
            Self::SecondFactorMissing => "second_factor_missing",
        }
    }

    /// What there is to do.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::EmailUnverified => "verify your e-mail address first: open the link in the mail, then refresh the token",
            Self::SecondFactorMissing => "this tenant demands a second factor: set one up, or sign in with it",
        }
    }
}
