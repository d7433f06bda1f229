//! Sign-ins: families of refresh tokens, each exchanged for the next one once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    User,
    refresh_token::{Presented, RefreshToken, TokenHashes},
};
use crate::{
    audit::{Deed, Source, record},
    clock::Timestamp,
    error::Result,
    id::{SignInId, TenantId, UserId},
    store::{Change, Order, Step, Table, keys, parse},
};

/// How long a sign-in lasts without being used.
pub const IDLE: Duration = Duration::from_hours(30 * 24);
/// How long it lasts however much it is used.
pub const LONGEST: Duration = Duration::from_hours(180 * 24);
/// How long it lasts before a tenant's provider has to answer for it again.
const LONGEST_BY_PROVIDER: Duration = Duration::from_hours(24);

/// How somebody showed who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the password, with a code of the second factor if there is one.
    Password,
    /// By the password and a recovery code.
    RecoveryCode,
    /// By the link of an invitation, or signed in already when it was accepted.
    Invitation,
    /// A tenant's identity provider answers for it.
    Provider,
}

impl Way {
    fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::RecoveryCode => "recovery_code",
            Self::Invitation => "invitation",
            Self::Provider => "identity_provider",
        }
    }
}

/// A sign-in of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Its identifier.
    pub id: SignInId,
    /// Whose it is.
    pub user: UserId,
    /// The tenant that it is for; `None` for an operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// What is kept of its tokens.
    pub tokens: TokenHashes,
    /// The epoch of its person that it began in.
    pub epoch: u64,
    /// Whether the second factor was shown.
    #[serde(default)]
    pub second_factor: bool,
    /// If its tenant's identity provider answers for it, so that it is good in that tenant alone: since when that one is
    /// the tenant's provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_provider: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last.
    pub used_at: Timestamp,
    /// From where it was used last.
    #[serde(default)]
    pub source: Source,
    /// When it is over unless it is used before, in seconds since the epoch.
    pub expires_at: u64,
    /// Counts its changes, from 1: what takes a version's place never brings back what is gone.
    pub version: u64,
}

impl SignIn {
    /// A new one of a person, and its first token.
    #[must_use]
    pub fn begin(
        user: &User,
        tenant: Option<TenantId>,
        second_factor: bool,
        source: Source,
        at: Timestamp,
    ) -> (Self, RefreshToken) {
        let token = RefreshToken::first(user.id, SignInId::new(at));
        let sign_in = Self {
            id: token.sign_in,
            user: user.id,
            tenant,
            tokens: token.hashes(),
            epoch: user.epoch,
            second_factor,
            by_provider: None,
            created_at: at,
            used_at: at,
            source,
            expires_at: at.after(IDLE).seconds(),
            version: 1,
        };
        (sign_in, token)
    }

    /// A provider answers for it that is its tenant's since then.
    #[must_use]
    pub(super) fn answered_for(mut self, since: Timestamp) -> Self {
        self.by_provider = Some(since);
        self.expires_at = self.end_after_use(self.created_at);
        self
    }

    /// Whether it goes on; the table forgets what is over only later.
    #[must_use]
    pub fn is_alive(&self, user: &User, at: Timestamp) -> bool {
        self.epoch == user.epoch && self.expires_at > at.seconds()
    }

    /// Adds to a change that something was done with it, for the audit log of the tenant that it is for.
    pub(super) fn record(
        &self,
        change: &mut Change,
        action: &'static str,
        user: &User,
        source: &Source,
        at: Timestamp,
    ) -> Result<()> {
        let Some(tenant) = self.tenant else { return Ok(()) };
        let deed = Deed { action, target: self.id.to_string(), ..Deed::default() };
        record(change, tenant, &user.acting(source), at, deed)
    }

    /// It is used: `next` is its token from now on.
    pub(super) fn renew(&mut self, next: &RefreshToken, source: Source, at: Timestamp) {
        self.tokens = next.hashes();
        self.source = source;
        self.used_at = at;
        self.expires_at = self.end_after_use(at);
    }

    fn end_after_use(&self, at: Timestamp) -> u64 {
        let longest = if self.by_provider.is_some() { LONGEST_BY_PROVIDER } else { LONGEST };
        at.after(IDLE).min(self.created_at.after(longest)).seconds()
    }
}

/// Sign-ins in the table.
#[derive(Debug, Clone)]
pub struct SignIns {
    table: Table,
}

impl SignIns {
    /// The sign-ins in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// Adds a new one of a person to a change, and how it was begun.
    ///
    /// # Errors
    /// `Internal` if it can't be written as an item.
    pub fn add(&self, change: &mut Change, user: &User, sign_in: &SignIn, way: Way) -> Result<()> {
        change.put_new(&self.table.user(sign_in.user), &keys::sign_in(sign_in.id), sign_in)?;
        let Some(tenant) = sign_in.tenant else { return Ok(()) };
        let after = serde_json::json!({"way": way.as_str()});
        let deed = Deed { action: "session.create", target: sign_in.id.to_string(), after, ..Deed::default() };
        record(change, tenant, &user.acting(&sign_in.source), sign_in.created_at, deed)
    }

    /// A person and one of its sign-ins, in one read; `None` unless both are there.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub(super) async fn with_user(&self, user: UserId, id: SignInId) -> Result<Option<(User, SignIn)>> {
        let sort = keys::sign_in(id);
        let mut found = self.table.user(user).find_all(&[keys::USER, &sort]).await?;
        let (Some(user), Some(sign_in)) = (found.remove(keys::USER), found.remove(&sort)) else { return Ok(None) };
        Ok(Some((parse(user)?, parse(sign_in)?)))
    }

    /// The person of a sign-in if it goes on, and what a token is to it.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub(super) async fn of_token(
        &self,
        token: &RefreshToken,
        at: Timestamp,
    ) -> Result<Option<(User, SignIn, Presented)>> {
        let found = self.with_user(token.user, token.sign_in).await?;
        Ok(found.and_then(|(user, sign_in)| {
            let presented = token.is_to(&sign_in.tokens);
            sign_in.is_alive(&user, at).then_some((user, sign_in, presented))
        }))
    }

    /// The newest of a person that go on, at most 100.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn of(&self, user: &User, at: Timestamp) -> Result<Vec<SignIn>> {
        let partition = self.table.user(user.id);
        let (rows, _) = partition.page::<SignIn>(keys::SIGN_IN_PREFIX, None, 100, Order::Descending).await?;
        Ok(rows.into_iter().filter(|sign_in| sign_in.is_alive(user, at)).collect())
    }

    /// Adds to a change that a sign-in takes the place of its last version; the step is refused if it has changed or is
    /// gone.
    ///
    /// # Errors
    /// `Internal` if it can't be written as an item.
    pub fn replace(&self, change: &mut Change, sign_in: &mut SignIn) -> Result<Step> {
        let before = sign_in.version;
        sign_in.version += 1;
        change.replace(&self.table.user(sign_in.user), &keys::sign_in(sign_in.id), sign_in, before)
    }

    /// Adds to a change that a sign-in is over; the step is refused if it is gone.
    ///
    /// # Errors
    /// `Internal` if it can't be written as an item.
    pub fn end(&self, change: &mut Change, user: UserId, id: SignInId) -> Result<Step> {
        change.delete_if(&self.table.user(user), &keys::sign_in(id), "attribute_exists(pk)", &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::EmailAddress;

    #[test]
    fn however_much_it_is_used_a_provider_is_asked_again_after_a_day() {
        const DAY: Duration = Duration::from_hours(24);
        let start = Timestamp(1_800_000_000_000);
        let user = User::new(EmailAddress::parse("ann@example.com").unwrap(), start);
        let (own, token) = SignIn::begin(&user, None, false, Source::default(), start);
        let vouched = own.clone().answered_for(start);
        for (mut sign_in, first, last) in [(own, IDLE, LONGEST), (vouched, DAY, DAY)] {
            assert_eq!(sign_in.expires_at, start.after(first).seconds());
            sign_in.renew(&token.next(), Source::default(), start.after(last / 10 * 9));
            assert_eq!(sign_in.expires_at, start.after(last).seconds());
        }
    }
}
