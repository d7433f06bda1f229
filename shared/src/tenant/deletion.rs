//! The end of a tenant: announced, and taken back within 30 days. What happens afterwards is in [`super::purge`].

use std::time::Duration;

use super::{Authority, Status, Tenant, Tenants};
use crate::{
    audit::{Edit, IfMatch},
    auth::Role,
    clock::Timestamp,
    error::{Error, Result},
    id::TenantId,
    store::{Change, keys},
};

/// How long a deletion can be taken back.
pub const GRACE: Duration = Duration::from_hours(30 * 24);

impl Tenants {
    /// Announces the removal of a tenant. From now on it may do nothing but be restored and exported.
    ///
    /// # Errors
    /// `Invalid` unless `name` is the tenant's; `Forbidden` unless the caller is an owner; `TenantSuspended` if it isn't
    /// active; `PreconditionFailed`, `Conflict`, `Unavailable`.
    pub async fn announce_deletion(
        &self,
        id: TenantId,
        name: &str,
        version: IfMatch,
        by: &Authority,
        at: Timestamp,
    ) -> Result<Tenant> {
        let decide = |tenant: &mut Tenant| {
            if tenant.status != Status::Active {
                return Err(Error::TenantSuspended);
            }
            if tenant.name != name {
                return Err(Error::invalid("name", "name must be the tenant's name, to confirm that it is meant"));
            }
            tenant.status = Status::Deleting;
            tenant.delete_after = Some(at.after(GRACE));
            Ok(())
        };
        self.edit_by_owner(id, "tenant.delete", version, by, at, decide).await
    }

    /// Takes a deletion back.
    ///
    /// # Errors
    /// `Conflict` unless the tenant is being deleted and the time for taking it back isn't over; `Forbidden` unless the
    /// caller is an owner; `Unavailable`.
    pub async fn restore(&self, id: TenantId, by: &Authority, at: Timestamp) -> Result<Tenant> {
        let decide = |tenant: &mut Tenant| {
            let left = tenant.status == Status::Deleting && tenant.delete_after.is_some_and(|after| at < after);
            if !left {
                return Err(Error::Conflict("there is no deletion that could be taken back".to_owned()));
            }
            tenant.status = Status::Active;
            tenant.delete_after = None;
            Ok(())
        };
        self.edit_by_owner(id, "tenant.restore", IfMatch::Any, by, at, decide).await
    }

    /// An edit by somebody who is an owner when it takes place.
    async fn edit_by_owner(
        &self,
        id: TenantId,
        action: &'static str,
        version: IfMatch,
        by: &Authority,
        at: Timestamp,
        mut decide: impl FnMut(&mut Tenant) -> Result<()>,
    ) -> Result<Tenant> {
        let (table, name) = (self.of(id), id.to_string());
        let main = table.main();
        let standing = by.now(&main).await?;
        standing.may(Role::Owner)?;
        let edit = Edit { table: &table, sort: keys::TENANT, id: &name, version, action, actor: &by.actor, at };
        let decide = |tenant: &mut Tenant, change: &mut Change| {
            decide(tenant)?;
            standing.demand(change, &main)?;
            self.list(change, tenant)
        };
        edit.apply(decide).await
    }
}
