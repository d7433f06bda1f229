//! How often somebody may try. Failures are counted per account and per address, and each further one makes the next
//! wait longer. An attempt is counted before it is made and given back if it succeeds, so that attempts at the same time
//! can't slip through.
//!
//! Nobody is locked out for good by a stranger who keeps failing: the wait is capped, and an address from which the
//! account was used before is counted by itself (`FROM#`), so that strangers' failures don't touch it. Whoever is at a
//! new address meanwhile resets the password by mail, which makes the address a known one.

use std::{net::IpAddr, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::{
    clock::{Clock, Timestamp},
    error::Result,
    id::TenantId,
    mail::EmailAddress,
    store::{Partition, Table, keys},
};
use counter::{Counter, change};
use limit::{ACCOUNT, ADDRESS, COUPONS, Limit, MAILS, MAILS_OF_ADDRESS, PAYING, TRIALS};

mod counter;
mod limit;

/// How long an address is known after the account was last used from it.
const KNOWN: Duration = Duration::from_hours(90 * 24);

/// What a mail is for. Each is counted by itself, so that who asks for one doesn't keep others from coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mails {
    /// To sign up.
    SignUp,
    /// To show once more that an address is one's own.
    Verify,
    /// To choose a new password.
    Reset,
    /// To become a member of a tenant.
    Invite(TenantId),
}

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
    from: Option<IpAddr>,
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
    /// asked before anything is compared. `from` is the client's internet address, if it is known.
    ///
    /// # Errors
    /// `TooManyAttempts` if it comes too early; `Unavailable` if the table can't be reached.
    pub async fn attempt(&self, email: &EmailAddress, from: Option<IpAddr>) -> Result<Attempt> {
        let (account, now) = (self.account(email), self.clock.now());
        let known_sort = place(from).map(|place| keys::known_address(&place));
        let seen = async {
            let known = match &known_sort {
                Some(sort) => account.find::<Counter>(sort).await?,
                None => None,
            };
            // TTL deletes late.
            match known.filter(|known| known.expires_at > now.seconds()) {
                Some(known) => Ok((Some(known), known_sort.as_deref())),
                None => account.find(keys::FAILURES).await.map(|seen| (seen, None)),
            }
        };
        // An address that is refused doesn't count for the account.
        let (address, seen) = tokio::join!(self.count_address(from, keys::FAILURES, &ADDRESS, now), seen);
        address?;
        let (seen, known) = seen?;
        let next = |seen: Option<&Counter>| Counter::after_attempt(seen, &ACCOUNT, now).map(Some);
        change(&account, known.unwrap_or(keys::FAILURES), seen, next).await?;
        Ok(Attempt { throttle: self.clone(), email: email.clone(), from, known: known.is_some() })
    }

    /// A mail to an address that may not have asked for it. It is never given back.
    ///
    /// # Errors
    /// As [`Throttle::attempt`].
    pub async fn mail(&self, email: &EmailAddress, mails: Mails, from: Option<IpAddr>) -> Result<()> {
        let now = self.clock.now();
        self.count_address(from, keys::MAILS, &MAILS_OF_ADDRESS, now).await?;
        count(&self.account(email), &mails.sort(), &MAILS, now).await
    }

    /// A delivery that a tenant wants to have at once. It is never given back.
    ///
    /// # Errors
    /// As [`Throttle::attempt`].
    pub async fn trial(&self, tenant: TenantId) -> Result<()> {
        count(&self.table.tenant(tenant).webhooks(), keys::TRIALS, &TRIALS, self.clock.now()).await
    }

    /// A payment that a tenant wants to make, or a payment method that it sets up. It is never given back.
    ///
    /// # Errors
    /// As [`Throttle::attempt`].
    pub async fn payment(&self, tenant: TenantId) -> Result<()> {
        count(&self.table.tenant(tenant).main(), keys::PAYING, &PAYING, self.clock.now()).await
    }

    /// A coupon that a tenant tries. It is never given back.
    ///
    /// # Errors
    /// As [`Throttle::attempt`].
    pub async fn coupon(&self, tenant: TenantId) -> Result<()> {
        count(&self.table.tenant(tenant).main(), keys::COUPON_TRIES, &COUPONS, self.clock.now()).await
    }

    /// Lets an address be counted by itself for an account: somebody there has proved to be its owner, as by opening
    /// the link of a mail.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn trust(&self, email: &EmailAddress, from: Option<IpAddr>) -> Result<()> {
        let Some(place) = place(from) else { return Ok(()) };
        let now = self.clock.now();
        let known = Counter::new(0, now, now.after(KNOWN).seconds());
        self.account(email).put(&keys::known_address(&place), &known).await
    }

    fn account(&self, email: &EmailAddress) -> Partition {
        self.table.email(&email.hash())
    }

    async fn count_address(&self, from: Option<IpAddr>, sort: &str, limit: &Limit, now: Timestamp) -> Result<()> {
        match place(from) {
            Some(place) => count(&self.table.address(&place), sort, limit, now).await,
            None => Ok(()),
        }
    }
}

impl Mails {
    fn sort(self) -> String {
        match self {
            Self::SignUp => keys::mails("SIGN_UP"),
            Self::Verify => keys::mails("VERIFY"),
            Self::Reset => keys::mails("RESET"),
            Self::Invite(tenant) => keys::mails(&tenant.to_string()),
        }
    }
}

impl Attempt {
    /// It succeeded, with all factors: the account's failures are forgotten, this one isn't counted for the address,
    /// and the address is known from now on.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn succeeded(self) -> Result<()> {
        let Self { throttle, email, from, known } = self;
        let forget = async {
            // Strangers' failures stay counted when the owner comes from where they aren't.
            if !known {
                throttle.account(&email).delete_if(keys::FAILURES, "attribute_exists(pk)", &[]).await?;
            }
            Ok(())
        };
        let give_back = async {
            let Some(place) = place(from) else { return Ok(()) };
            let address = throttle.table.address(&place);
            let seen = address.find(keys::FAILURES).await?;
            change(&address, keys::FAILURES, seen, |seen| Ok(seen.map(Counter::given_back))).await
        };
        let (trusted, forgotten, given) = tokio::join!(throttle.trust(&email, from), forget, give_back);
        trusted.and(forgotten).and(given)
    }
}

async fn count(partition: &Partition, sort: &str, limit: &Limit, now: Timestamp) -> Result<()> {
    let seen = partition.find(sort).await?;
    change(partition, sort, seen, |seen| Counter::after_attempt(seen, limit, now).map(Some)).await
}

/// What stands for an internet address: a hash, as it is somebody's. A home or a server has a /64 of IPv6 and counts as
/// one. `None` for loopback: whoever is behind it is on the same machine, or behind a proxy that tells of nobody.
fn place(address: Option<IpAddr>) -> Option<String> {
    let network = match address.map(|address| address.to_canonical()).filter(|address| !address.is_loopback())? {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => format!("{:x?}", &six.segments()[..4]),
    };
    Some(BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(network)[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Option<String> {
        place(Some(address.parse().unwrap()))
    }

    #[test]
    fn a_64_of_ipv6_is_one_place() {
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    #[test]
    fn an_address_of_ipv4_is_one_place_however_it_is_written() {
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn loopback_is_no_place() {
        assert_eq!([of("127.0.0.1"), of("::1"), of("::ffff:127.0.0.1"), place(None)], [const { None }; 4]);
    }
}
