//! Invitations: who may become a member of a tenant, and as what.
//!
//! An invitation is open for a week, is good once, and ends when it is revoked. There is one for each address at most,
//! which an item under the hash of the address sees to. It says who has invited, and is good only as long as that one may
//! still give its role: whoever is removed or demoted leaves no doors open. Sending it again makes it the sender's.
//!
//! The link goes to the invited address alone. Not even its maker sees it, so opening it shows that mail reaches the
//! person. It is for one version of the invitation: sending it again makes a new version, and old links are good no more.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Authority, Status, Tenant, members::Standing};
use crate::{
    audit::{Actor, Deed, Source, Who, record},
    auth::{Links, Principal, Purpose, Role},
    clock::{Clock, Timestamp},
    error::{Error, Result},
    id::{InviteId, TenantId, UserId},
    mail::{EmailAddress, Mail, Mailer},
    people::Users,
    store::{Change, Committed, Order, Partition, Table, keys, number},
};

/// The most open invitations of a tenant.
const MOST_OPEN: usize = 500;

/// How often a change is tried again while others change the same.
const TRIES: u32 = 10;

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// Its identifier.
    pub id: InviteId,
    /// Who is invited.
    pub email: EmailAddress,
    /// What the person becomes.
    pub role: Role,
    /// Who has invited, or sent the invitation again; `None` for the tenant's identity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Principal>,
    /// What that one is called: a person's address, a key's name.
    pub by_name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is open, in seconds since the epoch.
    pub expires_at: u64,
    /// How often it was sent.
    pub version: u64,
}

impl Invite {
    fn is_open(&self, at: Timestamp) -> bool {
        self.expires_at > at.seconds()
    }

    fn shown(&self) -> Value {
        json!({"email": self.email, "role": self.role})
    }

    fn sent_by(&mut self, by: Option<Principal>, actor: &Actor, at: Timestamp) {
        self.by = by;
        self.by_name = match &actor.who {
            Who::User { email, .. } => email.clone(),
            Who::Key { name, .. } => name.clone(),
            Who::Operator { .. } => "the operator".to_owned(),
            Who::System => "the identity provider".to_owned(),
        };
        self.expires_at = at.after(Purpose::Invite.life()).seconds();
        self.version += 1;
    }
}

/// Which invitation a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subject {
    tenant: TenantId,
    invite: InviteId,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.invite)
    }
}

impl TryFrom<String> for Subject {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parts = text.split_once('/').and_then(|(tenant, invite)| {
            Some(Self { tenant: TenantId::parse(tenant)?, invite: InviteId::parse(invite)? })
        });
        parts.ok_or("not a tenant and an invitation")
    }
}

/// Which invitation is open to an address.
#[derive(Serialize, Deserialize)]
struct Open {
    invite: InviteId,
    expires_at: u64,
}

impl From<&Invite> for Open {
    fn from(invite: &Invite) -> Self {
        Self { invite: invite.id, expires_at: invite.expires_at }
    }
}

/// Somebody to be invited.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Who.
    pub email: EmailAddress,
    /// What the person becomes.
    pub role: Role,
}

/// An invitation that somebody may accept.
#[derive(Debug, Clone)]
pub struct Acceptable {
    /// Where it leads.
    pub tenant: Tenant,
    /// What it says.
    pub invite: Invite,
    standing: Standing,
}

/// Invitations in the table.
#[derive(Clone)]
pub struct Invites {
    table: Table,
    clock: Clock,
    mailer: Mailer,
    links: Links,
}

impl Invites {
    /// The invitations in `table`, with links signed by `links` in mails of `mailer`.
    #[must_use]
    pub fn new(table: Table, clock: Clock, mailer: Mailer, links: Links) -> Self {
        Self { table, clock, mailer, links }
    }

    /// A page of a tenant's open invitations, the oldest first, and behind which sort key to go on, if there are more.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn page(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: u16,
    ) -> Result<(Vec<Invite>, Option<String>)> {
        let main = self.main(tenant);
        let (mut invites, next) = main.page::<Invite>(keys::INVITE_PREFIX, after, limit, Order::Ascending).await?;
        let now = self.clock.now();
        // The table forgets what has expired only later.
        invites.retain(|invite| invite.is_open(now));
        Ok((invites, next))
    }

    /// Adds a new invitation to a change; it is refused if one is open to the address, or the person is a member. It is
    /// still to be sent.
    ///
    /// # Errors
    /// `Forbidden` if the role is above the caller; `Conflict` if the person is a member, or too many are open;
    /// `Unavailable`.
    pub async fn add(
        &self,
        change: &mut Change,
        tenant: TenantId,
        invitation: &Invitation,
        by: &Authority,
    ) -> Result<Invite> {
        let standing = by.now(&self.main(tenant), self.clock.now()).await?;
        standing.may(invitation.role)?;
        self.put(change, tenant, invitation, &standing, (Some(by.who), &by.actor)).await
    }

    /// Has a tenant's identity provider invite somebody whom it named: adds the invitation to a change, which is refused
    /// if the tenant or its rules have changed. It is still to be sent. `None` if one is open to the address.
    ///
    /// # Errors
    /// `TenantSuspended`; `Conflict` if the rules invite nobody like this any more, the person is a member, or too many
    /// are open; `Unavailable`.
    pub async fn add_by_provider(
        &self,
        change: &mut Change,
        tenant: &Tenant,
        invitation: &Invitation,
        source: &Source,
    ) -> Result<Option<Invite>> {
        if tenant.status != Status::Active {
            return Err(Error::TenantSuspended);
        }
        let main = self.main(tenant.id);
        let open: Option<Open> = main.find(&keys::invited(&invitation.email.hash())).await?;
        if open.is_some_and(|open| open.expires_at > self.clock.now().seconds()) {
            return Ok(None);
        }
        let standing = Standing::of_provider(&main, |rules| rules.invites(&invitation.email, invitation.role)).await?;
        let standing = standing.ok_or_else(contended)?;
        change.check_version(&main, keys::TENANT, tenant.version)?;
        let actor = Actor { who: Who::System, source: source.clone() };
        self.put(change, tenant.id, invitation, &standing, (None, &actor)).await.map(Some)
    }

    async fn put(
        &self,
        change: &mut Change,
        tenant: TenantId,
        invitation: &Invitation,
        standing: &Standing,
        (by, actor): (Option<Principal>, &Actor),
    ) -> Result<Invite> {
        let (main, now) = (self.main(tenant), self.clock.now());
        standing.demand(change, &main)?;
        self.check_room(&main, now).await?;
        if let Some(person) = Users::new(self.table.clone()).by_email(&invitation.email).await? {
            check_stranger(change, &main, person.id).await?;
        }
        let id = InviteId::new(now);
        let mut invite = Invite {
            id,
            email: invitation.email.clone(),
            role: invitation.role,
            by,
            by_name: String::new(),
            created_at: now,
            expires_at: 0,
            version: 0,
        };
        invite.sent_by(by, actor, now);
        change.put_new(&main, &keys::invite(id), &invite)?;
        let free = "attribute_not_exists(pk) OR expires_at <= :now";
        let address = keys::invited(&invite.email.hash());
        change.put_if(&main, &address, &Open::from(&invite), free, &[(":now", number(now.seconds()))])?;
        let deed = Deed { action: "invite.create", target: id.to_string(), after: invite.shown(), ..Deed::default() };
        record(change, tenant, actor, now, deed)?;
        Ok(invite)
    }

    /// What an invitation that is refused says.
    #[must_use]
    pub fn refused() -> Error {
        let detail = "an invitation is open to this address; send it again or revoke it";
        Error::Conflict(detail.to_owned())
    }

    /// Sends an invitation to the address. It stays open if it can't be sent, and may be sent again.
    pub async fn send(&self, tenant: &Tenant, invite: &Invite) {
        if let Err(error) = self.try_to_send(tenant, invite).await {
            tracing::error!(error = ?error, "an invitation could not be sent");
        }
    }

    async fn try_to_send(&self, tenant: &Tenant, invite: &Invite) -> Result<()> {
        let subject = Subject { tenant: tenant.id, invite: invite.id };
        let link = self.links.make(Purpose::Invite, subject, invite.version).await?;
        let days = Purpose::Invite.life().as_secs() / (24 * 3_600);
        let (name, by, role) = (&tenant.name, &invite.by_name, invite.role.as_str());
        self.mailer.send(&Mail::invite(invite.email.clone(), name, by, role, &link, days)).await
    }

    /// Opens an invitation for another week; links that were sent before are good no more. It is the caller's from now
    /// on, and still to be sent.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if its role is above the caller; `Conflict` if others are quicker again and again;
    /// `Unavailable`.
    pub async fn renew(&self, tenant: TenantId, id: InviteId, by: &Authority) -> Result<Invite> {
        let (main, now) = (self.main(tenant), self.clock.now());
        for _ in 0..TRIES {
            let (standing, mut invite) = self.both(&main, id, by).await?;
            let of = invite.version;
            invite.sent_by(Some(by.who), &by.actor, now);
            let mut change = Change::new(&self.table);
            standing.demand(&mut change, &main)?;
            change.replace(&main, &keys::invite(id), &invite, of)?;
            change.put(&main, &keys::invited(&invite.email.hash()), &Open::from(&invite))?;
            let deed =
                Deed { action: "invite.resend", target: id.to_string(), after: invite.shown(), ..Deed::default() };
            record(&mut change, tenant, &by.actor, now, deed)?;
            if change.commit().await? == Committed::Yes {
                return Ok(invite);
            }
        }
        Err(contended())
    }

    /// Revokes an invitation: its link is good no more.
    ///
    /// # Errors
    /// As of [`renew`](Self::renew).
    pub async fn revoke(&self, tenant: TenantId, id: InviteId, by: &Authority) -> Result<()> {
        let (main, now) = (self.main(tenant), self.clock.now());
        for _ in 0..TRIES {
            let (standing, invite) = self.both(&main, id, by).await?;
            let mut change = Change::new(&self.table);
            standing.demand(&mut change, &main)?;
            end(&mut change, &main, &invite)?;
            let deed =
                Deed { action: "invite.revoke", target: id.to_string(), before: invite.shown(), ..Deed::default() };
            record(&mut change, tenant, &by.actor, now, deed)?;
            if change.commit().await? == Committed::Yes {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// The invitation that a link's token is for, if it can be accepted now: it is open, and whoever has invited may
    /// still give its role.
    ///
    /// # Errors
    /// `Invalid` for `token` if it can't; `TenantSuspended`; `Unavailable`.
    pub async fn acceptable(&self, token: &str) -> Result<Acceptable> {
        let (Subject { tenant, invite }, version) = self.links.open(Purpose::Invite, token).await?;
        let (main, sort) = (self.main(tenant), keys::invite(invite));
        let (tenant, invite) = tokio::try_join!(main.find::<Tenant>(keys::TENANT), main.find::<Invite>(&sort))?;
        let good = |invite: &Invite| invite.version == version && invite.is_open(self.clock.now());
        let (tenant, invite) = tenant.zip(invite.filter(good)).ok_or_else(Self::spent)?;
        if tenant.status != Status::Active {
            return Err(Error::TenantSuspended);
        }
        let standing = match invite.by {
            Some(by) => by.standing(&main, self.clock.now()).await?,
            None => Standing::of_provider(&main, |rules| rules.invites(&invite.email, invite.role)).await?,
        };
        let standing = standing.filter(|standing| standing.may(invite.role).is_ok());
        Ok(Acceptable { standing: standing.ok_or_else(Self::spent)?, tenant, invite })
    }

    /// What a link says that is good no more, for whatever reason.
    #[must_use]
    pub fn spent() -> Error {
        Error::invalid("token", "the invitation was accepted or revoked, or is too old; ask for another one")
    }

    /// Adds to a change that an invitation is accepted; the change is refused if it is open no more, or whoever has
    /// invited is not the same any more.
    ///
    /// # Errors
    /// `Internal`.
    pub fn accept(&self, change: &mut Change, accepted: &Acceptable) -> Result<()> {
        let main = self.main(accepted.tenant.id);
        accepted.standing.demand(change, &main)?;
        end(change, &main, &accepted.invite)
    }

    /// An open invitation.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` if the table can't be reached.
    pub async fn get(&self, tenant: TenantId, id: InviteId) -> Result<Invite> {
        self.find(&self.main(tenant), id).await
    }

    async fn find(&self, main: &Partition, id: InviteId) -> Result<Invite> {
        let invite: Option<Invite> = main.find(&keys::invite(id)).await?;
        let none = || Error::NotFound { kind: "invite", id: id.to_string() };
        invite.filter(|invite| invite.is_open(self.clock.now())).ok_or_else(none)
    }

    async fn both(&self, main: &Partition, id: InviteId, by: &Authority) -> Result<(Standing, Invite)> {
        let (standing, invite) = tokio::try_join!(by.now(main, self.clock.now()), self.find(main, id))?;
        standing.may(invite.role)?;
        Ok((standing, invite))
    }

    async fn check_room(&self, main: &Partition, now: Timestamp) -> Result<()> {
        #[derive(Deserialize)]
        struct Row {
            expires_at: u64,
        }
        let rows = main.begins_with::<Row>(keys::INVITE_PREFIX).only("expires_at").collect().await?;
        if rows.iter().filter(|row| row.expires_at > now.seconds()).count() >= MOST_OPEN {
            return Err(Error::Conflict(format!("{MOST_OPEN} invitations are open; revoke some")));
        }
        Ok(())
    }

    fn main(&self, tenant: TenantId) -> Partition {
        self.table.tenant(tenant).main()
    }
}

/// Fails if the person is a member, and demands of the change that it doesn't become one.
async fn check_stranger(change: &mut Change, main: &Partition, user: UserId) -> Result<()> {
    let sort = keys::member(user);
    if main.find::<super::Member>(&sort).await?.is_some() {
        return Err(Error::Conflict("this person is a member already".to_owned()));
    }
    change.check(main, &sort, "attribute_not_exists(pk)", &[]).map(drop)
}

/// Adds to a change that an invitation is over; it is refused if there is a newer version of it, or none.
fn end(change: &mut Change, main: &Partition, invite: &Invite) -> Result<()> {
    change.delete_version(main, &keys::invite(invite.id), invite.version)?;
    change.delete(main, &keys::invited(&invite.email.hash())).map(drop)
}

fn contended() -> Error {
    Error::Conflict("others are changing this invitation at the same time; try again".to_owned())
}
