//! How often somebody may try. Failures are counted per account and per address, and each further one makes the next
//! wait longer. An attempt is counted before it is made and given back if it succeeds, so that attempts at the same time
//! can't slip through.
//!
//! Nobody is locked out for good by a stranger who keeps failing: the wait is capped, and an address from which the
//! account was used before is counted by itself (`FROM#`), so that strangers' failures don't touch it. Whoever is at a
//! new address meanwhile resets the password by mail, which makes the address a known one.

use std::{net::IpAddr, time::Duration};

use sha2::{Digest, Sha256};

use crate::{
    clock::{Clock, Timestamp},
    error::Result,
    mail::EmailAddress,
    store::{Partition, Table, keys},
};
use counter::{Counter, change};
use limit::{ACCOUNT, ADDRESS, Limit, MAILS, MAILS_OF_ADDRESS};

mod counter;
mod limit;

/// How long an address is known after the account was last used from it.
const KNOWN: Duration = Duration::from_hours(90 * 24);

/// Counts attempts in the table.
#[derive(Debug, Clone)]
pub struct Throttle {
    table: Table,
    clock: Clock,
}

/// An attempt that may be made. It counts as failed until it is said to have succeeded.
#[derive(Debug)]
#[must_use = "it counts as failed until it is said to have succeeded"]
pub struct Attempt {
    throttle: Throttle,
    email: EmailAddress,
    from: IpAddr,
    /// Whether the account was used from there before.
    known: bool,
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
        let (account, now) = (self.table.email(email), self.clock.now());
        let known_sort = keys::known_address(&hash(from));
        let seen = async {
            let known = account.find::<Counter>(&known_sort).await?;
            // TTL deletes late.
            match known.filter(|known| known.expires_at > now.seconds()) {
                Some(known) => Ok((Some(known), true)),
                None => account.find(keys::FAILURES).await.map(|seen| (seen, false)),
            }
        };
        // An address that is refused doesn't count for the account.
        let (address, seen) = tokio::join!(self.count_address(from, keys::FAILURES, &ADDRESS, now), seen);
        address?;
        let (seen, known) = seen?;
        let sort = if known { known_sort.as_str() } else { keys::FAILURES };
        change(&account, sort, seen, |seen| Counter::after_attempt(seen, &ACCOUNT, now).map(Some)).await?;
        Ok(Attempt { throttle: self.clone(), email: email.clone(), from, known })
    }

    /// A mail to an address, asked for by somebody who isn't signed in: to verify it, to reset a password, to sign up.
    /// It is never given back.
    ///
    /// # Errors
    /// As [`Throttle::attempt`].
    pub async fn mail(&self, email: &EmailAddress, from: IpAddr) -> Result<()> {
        let now = self.clock.now();
        self.count_address(from, keys::MAILS, &MAILS_OF_ADDRESS, now).await?;
        count(&self.table.email(email), keys::MAILS, &MAILS, now).await
    }

    /// Lets an address be counted by itself for an account: somebody there has proved to be its owner, as by opening
    /// the link of a mail.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn trust(&self, email: &EmailAddress, from: IpAddr) -> Result<()> {
        let now = self.clock.now();
        let known = Counter::new(0, now, now.after(KNOWN).seconds());
        self.table.email(email).put(&keys::known_address(&hash(from)), &known).await
    }

    /// Counts for an address, but not for loopback: whoever is behind it is on the same machine, or behind a proxy that
    /// tells of nobody.
    async fn count_address(&self, from: IpAddr, sort: &str, limit: &Limit, now: Timestamp) -> Result<()> {
        if from.is_loopback() { Ok(()) } else { count(&self.table.address(&hash(from)), sort, limit, now).await }
    }
}

impl Attempt {
    /// It succeeded, with all factors: the account's failures are forgotten, this one isn't counted for the address,
    /// and the address is known from now on.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn succeeded(self) -> Result<()> {
        let account = self.throttle.table.email(&self.email);
        let forget = async {
            // Strangers' failures stay counted when the owner comes from where they aren't.
            if !self.known {
                account.delete_if(keys::FAILURES, "attribute_exists(pk)", &[]).await?;
            }
            Ok(())
        };
        let (trusted, forgotten, given_back) =
            tokio::join!(self.throttle.trust(&self.email, self.from), forget, self.give_back());
        trusted.and(forgotten).and(given_back)
    }

    async fn give_back(&self) -> Result<()> {
        if self.from.is_loopback() {
            return Ok(());
        }
        let address = self.throttle.table.address(&hash(self.from));
        let seen = address.find(keys::FAILURES).await?;
        change(&address, keys::FAILURES, seen, |seen| Ok(seen.map(Counter::given_back))).await
    }
}

async fn count(partition: &Partition, sort: &str, limit: &Limit, now: Timestamp) -> Result<()> {
    let seen = partition.find(sort).await?;
    change(partition, sort, seen, |seen| Counter::after_attempt(seen, limit, now).map(Some)).await
}

/// What stands for an address: a hash, as it is somebody's. A home or a server has a /64 of IPv6 and counts as one.
fn hash(address: IpAddr) -> String {
    let network = match address.to_canonical() {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => format!("{:x?}", &six.segments()[..4]),
    };
    Sha256::digest(network.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
