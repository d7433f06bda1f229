//! `/api/admin/tenants/{id}`: one tenant, its limits and plan, and whether it may do anything.

use axum::extract::State;
use lmo_shared::{
    audit::IfMatch,
    auth::{Authenticator, Operator},
    clock::Clock,
    http::{Body, Errors, Handled, Patch, Segment, Versioned, name},
    quota::Meters,
    store::Change,
    tenant::{Operation, Tenant, Tenants},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{AdminTenant, AdminTenantRequest, named};

/// What is to change of a tenant.
type AdminTenantPatch = Patch<AdminTenantRequest>;

/// Why a tenant is suspended.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendRequest {
    /// In 1 to 100 characters. It is in the tenant's audit log.
    pub reason: String,
}

/// A tenant.
#[utoipa::path(
    get,
    path = "/api/admin/tenants/{id}",
    operation_id = "adminGetTenant",
    tag = "admin",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The tenant, with its `ETag`", body = AdminTenant), Errors)
)]
pub(crate) async fn get(
    _: Operator,
    State(tenants): State<Tenants>,
    Segment(id): Segment,
) -> Handled<Versioned<AdminTenant>> {
    let tenant = tenants.get(named(id)?).await?;
    Ok(Versioned(tenant.version, AdminTenant::from(&tenant)))
}

/// Changes a tenant by a JSON Merge Patch: what is absent stays, `null` takes the default. Limits hold within 30 s.
#[utoipa::path(
    patch,
    path = "/api/admin/tenants/{id}",
    operation_id = "adminChangeTenant",
    tag = "admin",
    request_body = AdminTenantPatch,
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is changed"),
    ),
    responses((status = 200, description = "The tenant as it is now", body = AdminTenant), Errors)
)]
#[expect(clippy::too_many_arguments, reason = "extractors")]
pub(crate) async fn change(
    operator: Operator,
    State(tenants): State<Tenants>,
    State(meters): State<Meters>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    version: IfMatch,
    Segment(id): Segment,
    patch: AdminTenantPatch,
) -> Handled<Versioned<AdminTenant>> {
    let (id, now) = (named(id)?, clock.now());
    let current = tenants.get(id).await?;
    let wanted = patch.apply(&AdminTenantRequest::from(&current))?;
    if wanted.meter_shards != current.meter_shards {
        version.check(current.version)?;
        tenants.check_shards(id, wanted.meter_shards, now).await?;
    }
    let decide = |tenant: &mut Tenant, change: &mut Change| {
        let shards = tenant.meter_shards;
        patch.apply(&AdminTenantRequest::from(&*tenant))?.set(tenant)?;
        if tenant.meter_shards == shards { Ok(()) } else { tenants.demand_no_month(change, id, now) }
    };
    let actor = operator.actor();
    let operation = Operation { tenant: id, version, actor: &actor, at: now };
    let tenant = tenants.operate(operation, "tenant.change", decide).await?;
    authenticator.forget(id);
    meters.recap(&tenant).await?;
    Ok(Versioned(tenant.version, AdminTenant::from(&tenant)))
}

/// Suspends a tenant: all that it has is refused with `403 tenant_suspended`, everywhere within 30 s.
#[utoipa::path(
    post,
    path = "/api/admin/tenants/{id}/suspend",
    operation_id = "adminSuspendTenant",
    tag = "admin",
    request_body = SuspendRequest,
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is suspended"),
    ),
    responses((status = 200, description = "The tenant as it is now", body = AdminTenant), Errors)
)]
pub(crate) async fn suspend(
    operator: Operator,
    State(tenants): State<Tenants>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    version: IfMatch,
    Segment(id): Segment,
    Body(request): Body<SuspendRequest>,
) -> Handled<Versioned<AdminTenant>> {
    let (id, actor) = (named(id)?, operator.actor());
    let operation = Operation { tenant: id, version, actor: &actor, at: clock.now() };
    let tenant = tenants.suspend(operation, &name("reason", 1, &request.reason)?).await?;
    authenticator.forget(id);
    Ok(Versioned(tenant.version, AdminTenant::from(&tenant)))
}

/// Lets a suspended tenant go on.
#[utoipa::path(
    post,
    path = "/api/admin/tenants/{id}/resume",
    operation_id = "adminResumeTenant",
    tag = "admin",
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is resumed"),
    ),
    responses((status = 200, description = "The tenant as it is now", body = AdminTenant), Errors)
)]
pub(crate) async fn resume(
    operator: Operator,
    State(tenants): State<Tenants>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    version: IfMatch,
    Segment(id): Segment,
) -> Handled<Versioned<AdminTenant>> {
    let (id, actor) = (named(id)?, operator.actor());
    let operation = Operation { tenant: id, version, actor: &actor, at: clock.now() };
    let tenant = tenants.resume(operation).await?;
    authenticator.forget(id);
    Ok(Versioned(tenant.version, AdminTenant::from(&tenant)))
}
