//! Which tenants a person is a member of: beside the member in the tenant's partition there is a membership in the
//! person's, which says so and no more.

use serde::{Deserialize, Serialize};

use super::User;
use crate::{
    audit::{Edit, IfMatch, Source},
    auth::Role,
    clock::Timestamp,
    error::{Error, Result},
    id::{TenantId, UserId},
    store::{Change, Step, Table, keys},
    tenant::{Member, Tenant, Tenants},
    webhook::{Event, announce},
};

/// A tenant that a person is a member of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Which.
    pub tenant: TenantId,
    /// Since when.
    pub added_at: Timestamp,
}

/// Memberships in the table.
#[derive(Debug, Clone)]
pub struct Memberships {
    table: Table,
    tenants: Tenants,
}

impl Memberships {
    /// The memberships in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { tenants: Tenants::new(table.clone()), table }
    }

    /// Adds to a change that a person becomes a member of a tenant: the member, and the step that is refused if the person
    /// is one already.
    ///
    /// # Errors
    /// `Internal` if it can't be written as an item.
    pub fn add(
        &self,
        change: &mut Change,
        user: &User,
        tenant: TenantId,
        role: Role,
        at: Timestamp,
    ) -> Result<(Member, Step)> {
        let name = user.known_name();
        let member = Member { user: user.id, email: user.email.to_string(), name, role, added_at: at, version: 1 };
        change.put(&self.table.user(user.id), &keys::membership(tenant), &Membership { tenant, added_at: at })?;
        let step = change.put_new(&self.table.tenant(tenant).main(), &keys::member(user.id), &member)?;
        announce(change, tenant, at, &Event::MemberAdded(&member))?;
        Ok((member, step))
    }

    /// Those of a person, the first that was added first.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn of(&self, user: UserId) -> Result<Vec<Membership>> {
        let rows = self.table.user(user).begins_with::<Membership>(keys::MEMBER_PREFIX);
        let mut all = rows.collect().await?;
        all.sort_by_key(|membership| membership.added_at);
        Ok(all)
    }

    /// A tenant and what a person is in it; `None` if the person is no member.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn find(&self, user: UserId, tenant: TenantId) -> Result<Option<(Tenant, Member)>> {
        let found = self.tenants.with::<Member>(tenant, &keys::member(user)).await?;
        Ok(found.map(|(tenant, _, member)| (tenant, member)))
    }

    /// Has all tenants of a person call it as it is called. If that fails in the middle, doing it again does the rest.
    ///
    /// # Errors
    /// `Conflict`; `Unavailable` if the table can't be reached.
    pub(super) async fn rename(&self, user: &User, source: &Source, at: Timestamp) -> Result<()> {
        let (sort, id, actor, name) =
            (keys::member(user.id), user.id.to_string(), user.acting(source), user.known_name());
        for membership in self.of(user.id).await? {
            let Some((_, member)) = self.find(user.id, membership.tenant).await? else { continue };
            if member.name == name {
                continue;
            }
            let table = self.table.tenant(membership.tenant);
            let version = IfMatch::Any;
            let edit =
                Edit { table: &table, sort: &sort, id: &id, version, action: "member.rename", actor: &actor, at };
            let decide = |member: &mut Member, _: &mut Change| {
                member.name.clone_from(&name);
                Ok(())
            };
            edit.apply(decide).await?;
        }
        Ok(())
    }

    /// Where a person is when it signs in: in the tenant that it asked for, else nowhere if it works for the operator,
    /// else in the tenant that it has been a member of for longest.
    ///
    /// # Errors
    /// `NotFound` if it is no member of the tenant, `Forbidden` if it is a member of none; `Unavailable` if the table
    /// can't be reached.
    pub(super) async fn place(&self, user: &User, wanted: Option<TenantId>) -> Result<Option<(Tenant, Member)>> {
        if let Some(id) = wanted {
            let found = self.find(user.id, id).await?;
            return found.map(Some).ok_or_else(|| Error::NotFound { kind: "tenant", id: id.to_string() });
        }
        if user.operator {
            return Ok(None);
        }
        for membership in self.of(user.id).await? {
            if let Some(found) = self.find(user.id, membership.tenant).await? {
                return Ok(Some(found));
            }
        }
        Err(Error::Forbidden("this account is a member of no tenant".to_owned()))
    }
}
