//! The members of a tenant: who they are, what they become, and how they go.
//!
//! *A tenant always has an owner.* Whoever changes an owner is another owner, whose own item the same transaction
//! demands as it was read, or is the owner itself: then the transaction demands the same of some other owner. So of two
//! owners who demote each other at once one is refused, without a counter that could be wrong.
//!
//! *What somebody may do is looked at when it is done.* A caller may be known for 30 s; a change of members reads the
//! caller's own item anew, and takes place only if that is still the same.

use super::Member;
use crate::{
    audit::{Deed, IfMatch, Versioned, record},
    auth::Role,
    clock::Timestamp,
    error::{Error, Result},
    id::{TenantId, UserId},
    mail::EmailAddress,
    store::{Change, Committed, Order, Partition, Table, keys},
    webhook::{Event, announce},
};

mod authority;

pub use authority::Authority;
pub(super) use authority::Standing;

/// How often a change is tried again while others change the same.
const TRIES: u32 = 10;

/// How many sign-ins of a member are deleted with its removal. The others can't go on, but stay until they expire.
const MOST_SIGN_INS: usize = 500;

/// Members in the table.
#[derive(Debug, Clone)]
pub struct Members {
    table: Table,
}

impl Members {
    /// The members in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// A page of a tenant's members, the oldest account first, and behind which sort key to go on, if there are more.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn page(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: u16,
    ) -> Result<(Vec<Member>, Option<String>)> {
        self.main(tenant).page(keys::MEMBER_PREFIX, after, limit, Order::Ascending).await
    }

    /// All of a tenant's members.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<Member>> {
        self.main(tenant).begins_with(keys::MEMBER_PREFIX).collect().await
    }

    /// A member.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` if the table can't be reached.
    pub async fn get(&self, tenant: TenantId, user: UserId) -> Result<Member> {
        let found = self.main(tenant).find(&keys::member(user)).await?;
        found.ok_or_else(|| Error::NotFound { kind: Member::KIND, id: user.to_string() })
    }

    /// The members that have a role.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn with_role(&self, tenant: TenantId, role: Role) -> Result<Vec<Member>> {
        let mut members = self.main(tenant).begins_with::<Member>(keys::MEMBER_PREFIX).collect().await?;
        members.retain(|member| member.role == role);
        Ok(members)
    }

    /// Whom what is to be paid concerns: owners and those who pay, at the addresses that can be written to.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn payers(&self, tenant: TenantId) -> Result<Vec<EmailAddress>> {
        let mut members = self.main(tenant).begins_with::<Member>(keys::MEMBER_PREFIX).collect().await?;
        members.retain(|member| matches!(member.role, Role::Owner | Role::Billing));
        Ok(members.iter().filter_map(|member| EmailAddress::parse(&member.email).ok()).collect())
    }

    /// Gives a member another role. The one that it has already changes nothing.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if it or the new role is above the caller; `Conflict` if it is the last owner, or if
    /// others are quicker again and again; `PreconditionFailed`; `Unavailable`.
    pub async fn give(
        &self,
        tenant: TenantId,
        user: UserId,
        role: Role,
        version: IfMatch,
        by: &Authority,
        at: Timestamp,
    ) -> Result<Member> {
        for _ in 0..TRIES {
            let (standing, mut member) = self.both(tenant, user, by, at).await?;
            version.check(member.version)?;
            standing.may(member.role)?;
            standing.may(role)?;
            if member.role == role {
                return Ok(member);
            }
            let before = member.shown();
            let mut change = Change::new(&self.table);
            self.guard(&mut change, tenant, &standing, &member).await?;
            member.role = role;
            self.replace(&mut change, tenant, &mut member)?;
            announce(&mut change, tenant, at, &Event::MemberChanged(&member))?;
            let deed = Deed { action: "member.change", target: user.to_string(), before, after: member.shown() };
            record(&mut change, tenant, &by.actor, at, deed)?;
            if change.commit().await? == Committed::Yes {
                return Ok(member);
            }
        }
        Err(contended())
    }

    /// Removes a member, or leaves if it is the caller itself. Its sign-ins to this tenant are over with it.
    ///
    /// # Errors
    /// As of [`give`](Self::give).
    pub async fn remove(
        &self,
        tenant: TenantId,
        user: UserId,
        version: IfMatch,
        by: &Authority,
        at: Timestamp,
    ) -> Result<()> {
        for _ in 0..TRIES {
            let (standing, mut member) = self.both(tenant, user, by, at).await?;
            version.check(member.version)?;
            let leaves = standing.is(user);
            if !leaves {
                standing.may(member.role)?;
            }
            let mut change = Change::new(&self.table);
            self.guard(&mut change, tenant, &standing, &member).await?;
            let person = self.table.user(user);
            change.delete_version(&self.main(tenant), &keys::member(user), *member.version())?;
            change.delete(&person, &keys::membership(tenant))?;
            let sign_ins = sign_ins(&person, tenant).await?;
            announce(&mut change, tenant, at, &Event::MemberRemoved(&member))?;
            let action = if leaves { "member.leave" } else { "member.remove" };
            let deed = Deed { action, target: user.to_string(), before: member.shown(), ..Deed::default() };
            record(&mut change, tenant, &by.actor, at, deed)?;
            if change.commit().await? == Committed::Yes {
                // They are over without the membership, and one that is refreshed now must not hold the removal up.
                if let Err(error) = person.delete_all(&sign_ins).await {
                    tracing::warn!(?error, %tenant, %user, "sign-ins of a removed member are left until they expire");
                }
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Hands the tenant over: `to` is an owner then, and the caller an admin.
    ///
    /// # Errors
    /// `NotFound` if `to` is no member; `Forbidden` unless the caller is an owner; `Invalid` if it is `to` itself;
    /// `Conflict` if others are quicker again and again; `Unavailable`.
    pub async fn transfer(&self, tenant: TenantId, to: UserId, by: &Authority, at: Timestamp) -> Result<Member> {
        for _ in 0..TRIES {
            let (standing, mut heir) = self.both(tenant, to, by, at).await?;
            standing.may(Role::Owner)?;
            let mut owner = standing
                .member
                .filter(|owner| owner.user != to)
                .ok_or_else(|| Error::invalid("to", "to must be another member than you"))?;
            let mut change = Change::new(&self.table);
            let before = owners(&owner, &heir);
            owner.role = Role::Admin;
            self.replace(&mut change, tenant, &mut owner)?;
            heir.role = Role::Owner;
            self.replace(&mut change, tenant, &mut heir)?;
            let after = owners(&owner, &heir);
            announce(&mut change, tenant, at, &Event::MemberChanged(&owner))?;
            announce(&mut change, tenant, at, &Event::MemberChanged(&heir))?;
            let deed = Deed { action: "tenant.transfer", target: tenant.to_string(), before, after };
            record(&mut change, tenant, &by.actor, at, deed)?;
            if change.commit().await? == Committed::Yes {
                return Ok(heir);
            }
        }
        Err(contended())
    }

    /// What the caller is now, and a member.
    async fn both(&self, tenant: TenantId, user: UserId, by: &Authority, at: Timestamp) -> Result<(Standing, Member)> {
        let main = self.main(tenant);
        let (standing, member) = tokio::try_join!(by.now(&main, at), self.get(tenant, user))?;
        Ok((standing, member))
    }

    /// Adds to a change of a member that the caller is still what it was, and that the tenant keeps an owner.
    async fn guard(&self, change: &mut Change, tenant: TenantId, standing: &Standing, member: &Member) -> Result<()> {
        let main = self.main(tenant);
        if !standing.is(member.user) {
            return standing.demand(change, &main);
        }
        if member.role != Role::Owner {
            return Ok(());
        }
        let owners = self.with_role(tenant, Role::Owner).await?;
        let other = owners.iter().find(|other| other.user != member.user);
        let last = || Error::Conflict("a tenant needs an owner; make another member one first".to_owned());
        let other = other.ok_or_else(last)?;
        change.check_version(&main, &keys::member(other.user), other.version).map(drop)
    }

    fn replace(&self, change: &mut Change, tenant: TenantId, member: &mut Member) -> Result<()> {
        let of = member.version;
        member.version += 1;
        change.replace(&self.main(tenant), &keys::member(member.user), member, of).map(drop)
    }

    fn main(&self, tenant: TenantId) -> Partition {
        self.table.tenant(tenant).main()
    }
}

/// The sign-ins of a person that are for a tenant.
async fn sign_ins(person: &Partition, tenant: TenantId) -> Result<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Row {
        sk: String,
        tenant: Option<TenantId>,
    }
    let rows = person.begins_with::<Row>(keys::SIGN_IN_PREFIX).collect().await?;
    let here = rows.into_iter().rev().filter(|row| row.tenant == Some(tenant));
    Ok(here.map(|row| row.sk).take(MOST_SIGN_INS).collect())
}

/// What the audit log shows of a transfer.
fn owners(owner: &Member, heir: &Member) -> serde_json::Value {
    let role = |member: &Member| (member.user.to_string(), member.role.as_str().into());
    [role(owner), role(heir)].into_iter().collect::<serde_json::Map<_, _>>().into()
}

fn contended() -> Error {
    Error::Conflict("others are changing the members at the same time; try again".to_owned())
}
