//! `GET` and `PATCH /api/tenant`.

use axum::extract::State;
use lmo_shared::{
    audit::IfMatch,
    auth::{Authenticator, Caller},
    clock::Clock,
    http::{self, Errors, Handled, Patch, Versioned},
    id::TenantId,
    quota::Limits,
    tenant::{Status, Tenant, Tenants},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tenant as its members and keys see it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TenantView {
    /// Its identifier.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// Whether it may do anything.
    pub status: Status,
    /// What it may use. The operator sets it.
    pub limits: Limits,
    /// Whether its members have to prove who they are in a second way.
    pub require_second_factor: bool,
    /// When it was created, RFC 3339.
    pub created_at: String,
}

/// What a tenant says of itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantRequest {
    /// What people call it, 1 to 100 characters.
    pub name: String,
    /// Whether its members have to prove who they are in a second way.
    #[serde(default)]
    pub require_second_factor: bool,
}

impl From<&Tenant> for TenantView {
    fn from(tenant: &Tenant) -> Self {
        Self {
            id: tenant.id,
            name: tenant.name.clone(),
            status: tenant.status,
            limits: tenant.limits,
            require_second_factor: tenant.require_second_factor,
            created_at: tenant.created_at.to_string(),
        }
    }
}

/// The tenant.
#[utoipa::path(
    get,
    path = "/api/tenant",
    operation_id = "getTenant",
    tag = "tenant",
    responses((status = 200, description = "The tenant, with its `ETag`", body = TenantView), Errors)
)]
pub(super) async fn get(caller: Caller, State(tenants): State<Tenants>) -> Handled<Versioned<TenantView>> {
    let tenant = tenants.get(caller.tenant().id).await?;
    Ok(Versioned(tenant.version, TenantView::from(&tenant)))
}

/// What is to change of a tenant.
type TenantPatch = Patch<TenantRequest>;

/// Changes the tenant by a JSON Merge Patch: what is absent stays, `null` takes the default.
#[utoipa::path(
    patch,
    path = "/api/tenant",
    operation_id = "changeTenant",
    tag = "tenant",
    request_body = TenantPatch,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is changed")),
    responses((status = 200, description = "The tenant as it is now", body = TenantView), Errors)
)]
pub(super) async fn change(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    version: IfMatch,
    patch: TenantPatch,
) -> Handled<Versioned<TenantView>> {
    let decide = |tenant: &mut Tenant| {
        let current = TenantRequest { name: tenant.name.clone(), require_second_factor: tenant.require_second_factor };
        let TenantRequest { name, require_second_factor } = patch.apply(&current)?;
        tenant.name = http::name("name", 1, &name)?;
        tenant.require_second_factor = require_second_factor;
        Ok(())
    };
    let id = caller.tenant().id;
    let tenant = tenants.edit(id, version, "tenant.change", &caller.actor(), clock.now(), decide).await?;
    authenticator.forget(id);
    Ok(Versioned(tenant.version, TenantView::from(&tenant)))
}
