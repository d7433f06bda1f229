//! `/api/admin`: what those who work for the operator do with tenants. No role in a tenant opens it.

use lmo_shared::{
    error::Error,
    http::name,
    id::TenantId,
    quota::Limits,
    tenant::{Status, Tenant},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) mod create;
pub(super) mod list;
pub(super) mod look;
pub(super) mod tenant;

/// A tenant as those who work for the operator see it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdminTenant {
    /// Its identifier.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// Whether it may do anything.
    pub status: Status,
    /// Why it is suspended, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_for: Option<String>,
    /// What the operator calls its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What it may use.
    pub limits: Limits,
    /// Into how many sub-meters its month is split.
    pub meter_shards: u8,
    /// Whether its members have to prove who they are in a second way.
    pub require_second_factor: bool,
    /// When it was created, RFC 3339.
    pub created_at: String,
}

/// What the operator says of a tenant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminTenantRequest {
    /// What people call it, 1 to 100 characters.
    pub name: String,
    /// What the operator calls its plan, 1 to 100 characters.
    pub plan: Option<String>,
    /// What it may use; what is absent is not limited.
    #[serde(default)]
    pub limits: Limits,
    /// Into how many sub-meters its month is split, 1 to 64; more than 1 for over about 300 requests a second. It can't
    /// change in a month in which the tenant has used something.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 64)]
    pub meter_shards: u8,
}

fn one() -> u8 {
    1
}

impl From<&Tenant> for AdminTenant {
    fn from(tenant: &Tenant) -> Self {
        Self {
            id: tenant.id,
            name: tenant.name.clone(),
            status: tenant.status,
            suspended_for: tenant.suspended_for.clone(),
            plan: tenant.plan.clone(),
            limits: tenant.limits,
            meter_shards: tenant.meter_shards,
            require_second_factor: tenant.require_second_factor,
            created_at: tenant.created_at.to_string(),
        }
    }
}

impl From<&Tenant> for AdminTenantRequest {
    fn from(tenant: &Tenant) -> Self {
        let Tenant { name, plan, limits, meter_shards, .. } = tenant.clone();
        Self { name, plan, limits, meter_shards }
    }
}

impl AdminTenantRequest {
    /// Makes a tenant what is asked for.
    fn set(self, tenant: &mut Tenant) -> Result<(), Error> {
        tenant.name = name("name", 1, &self.name)?;
        tenant.plan = self.plan.map(|plan| name("plan", 1, &plan)).transpose()?;
        (tenant.limits, tenant.meter_shards) = (self.limits, self.meter_shards);
        Ok(())
    }
}

/// The tenant that a path names. What can be no tenant's id is the id of none.
fn named(id: String) -> Result<TenantId, Error> {
    TenantId::parse(&id).ok_or(Error::NotFound { kind: "tenant", id })
}
