//! What the operator does to tenants. It is in the tenant's audit log and in the operator's.

use super::{Status, Tenant, Tenants};
use crate::{
    audit::{Actor, Deed, Edit, IfMatch, Versioned, record_for_operators},
    clock::{Period, Timestamp},
    error::{Error, Result},
    id::TenantId,
    store::{Change, Partition, keys},
};

/// The most sub-meters of a tenant's month.
pub const MOST_SHARDS: u8 = 64;

/// What the operator does to a tenant, by whom, when, and to which version.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// Which tenant.
    pub tenant: TenantId,
    /// Which version is meant.
    pub version: IfMatch,
    /// By whom.
    pub actor: &'a Actor,
    /// When.
    pub at: Timestamp,
}

impl Tenants {
    /// Changes a tenant.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, `Conflict`, `Unavailable`, and what `decide` fails with.
    pub async fn operate(
        &self,
        operation: Operation<'_>,
        action: &'static str,
        mut decide: impl FnMut(&mut Tenant, &mut Change) -> Result<()>,
    ) -> Result<Tenant> {
        let Operation { tenant: id, version, actor, at } = operation;
        let (table, name) = (self.of(id), id.to_string());
        let edit = Edit { table: &table, sort: keys::TENANT, id: &name, version, action, actor, at };
        let decide = |tenant: &mut Tenant, change: &mut Change| {
            let before = tenant.shown();
            decide(tenant, change)?;
            self.list(change, tenant)?;
            let deed = Deed { action, target: name.clone(), before, after: tenant.shown() };
            record_for_operators(change, actor, at, deed)
        };
        edit.apply(decide).await
    }

    /// Suspends a tenant: all that it has is refused, everywhere within 30 s.
    ///
    /// # Errors
    /// `Conflict` unless it is active; as [`Self::operate`].
    pub async fn suspend(&self, operation: Operation<'_>, reason: &str) -> Result<Tenant> {
        let decide = |tenant: &mut Tenant, _: &mut Change| {
            tenant.demand(Status::Active)?;
            (tenant.status, tenant.suspended_for) = (Status::Suspended, Some(reason.to_owned()));
            Ok(())
        };
        self.operate(operation, "tenant.suspend", decide).await
    }

    /// Lets a suspended tenant go on.
    ///
    /// # Errors
    /// `Conflict` unless it is suspended; as [`Self::operate`].
    pub async fn resume(&self, operation: Operation<'_>) -> Result<Tenant> {
        let decide = |tenant: &mut Tenant, _: &mut Change| {
            tenant.demand(Status::Suspended)?;
            (tenant.status, tenant.suspended_for) = (Status::Active, None);
            Ok(())
        };
        self.operate(operation, "tenant.resume", decide).await
    }

    /// Adds a new tenant to a change.
    ///
    /// # Errors
    /// `Internal` if it can't be written as an item.
    pub fn create_as_operator(&self, change: &mut Change, tenant: &Tenant, actor: &Actor) -> Result<()> {
        self.create(change, tenant, actor)?;
        let deed =
            Deed { action: "tenant.create", target: tenant.id.to_string(), after: tenant.shown(), ..Deed::default() };
        record_for_operators(change, actor, tenant.created_at, deed)
    }

    /// Where the responses to operators are kept that are to be carried out once.
    #[must_use]
    pub fn of_operators(&self) -> Partition {
        self.table.operators()
    }

    /// Demands of a change that the tenant's month hasn't begun.
    ///
    /// # Errors
    /// `Internal`.
    pub fn demand_no_month(&self, change: &mut Change, id: TenantId, at: Timestamp) -> Result<()> {
        let active = self.table.active(Period::month(at));
        change.check(&active, &id.to_string(), "attribute_not_exists(pk)", &[]).map(drop)
    }

    /// Fails if the tenant's month can't be split so.
    ///
    /// # Errors
    /// `Invalid` if it can't be split so; `Conflict` if the month has begun; `Unavailable`.
    pub async fn check_shards(&self, id: TenantId, shards: u8, at: Timestamp) -> Result<()> {
        if !(1..=MOST_SHARDS).contains(&shards) {
            return Err(Error::invalid("meter_shards", format!("meter_shards must be from 1 to {MOST_SHARDS}")));
        }
        let month = Period::month(at);
        let begun: Option<serde_json::Value> = self.table.active(month).find(&id.to_string()).await?;
        match begun {
            Some(_) => Err(Error::Conflict(format!(
                "meter_shards can't change in a month in which the tenant has used something; wait until {}",
                month.end()
            ))),
            None => Ok(()),
        }
    }
}

impl Tenant {
    fn demand(&self, status: Status) -> Result<()> {
        let is = match self.status {
            _ if self.status == status => return Ok(()),
            Status::Active => "active",
            Status::Suspended => "suspended already",
            Status::Deleting => "being deleted",
        };
        Err(Error::Conflict(format!("the tenant is {is}")))
    }
}
