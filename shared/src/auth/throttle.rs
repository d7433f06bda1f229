//! How often somebody may try. Failures are counted per account and per address, and each further one makes the next
//! wait longer. An attempt is counted before it is made and given back if it succeeds, so that attempts at the same time
//! can't slip through.
//!
//! Nobody is locked out for good by a stranger who keeps failing: the wait is capped, and addresses from which the
//! account was used before are counted by themselves (`FROM#`), so that strangers' failures don't touch them. Whoever is
//! at a new address meanwhile resets the password by mail, which makes the address a known one.

use std::net::IpAddr;

use crate::{clock::Clock, error::Result, mail::EmailAddress, store::Table};

/// Counts attempts in the table.
#[derive(Debug, Clone)]
pub struct Throttle {
    table: Table,
    clock: Clock,
}

/// An attempt to sign in that may be made. It counts as failed until it is said to have succeeded.
#[derive(Debug)]
#[must_use = "an attempt that succeeded must be told so"]
pub struct Attempt {
    throttle: Throttle,
    email: EmailAddress,
    from: IpAddr,
}

impl Throttle {
    /// The counters in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock) -> Self {
        Self { table, clock }
    }

    /// An attempt to prove who one is, by a password or a second factor, whether or not there is such an account: to be
    /// asked before anything is compared.
    ///
    /// # Errors
    /// `TooManyAttempts` if it comes too early; `Unavailable` if the table can't be reached.
    pub async fn attempt(&self, email: &EmailAddress, from: IpAddr) -> Result<Attempt> {
        todo!()
    }

    /// A mail to an address, asked for by somebody who isn't signed in: to verify it, to reset a password, to sign up.
    /// It is never given back.
    ///
    /// # Errors
    /// As [`Throttle::attempt`].
    pub async fn mail(&self, email: &EmailAddress, from: IpAddr) -> Result<()> {
        todo!()
    }

    /// Lets an address be counted by itself for an account: somebody there has proved to be its owner, as by opening
    /// the link of a mail.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn trust(&self, email: &EmailAddress, from: IpAddr) -> Result<()> {
        todo!()
    }
}

impl Attempt {
    /// It succeeded, with all factors: the account's failures are forgotten, this one isn't counted for the address,
    /// and the address is known from now on.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn succeeded(self) -> Result<()> {
        todo!()
    }
}
