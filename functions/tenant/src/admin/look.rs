//! What happened: audit logs and usage, as those who work for the operator see them.

use axum::{extract::State, http::HeaderMap, response::Response};
use lmo_shared::{
    audit::Audit,
    auth::Operator,
    clock::Clock,
    http::{Errors, Handled, Params, Segment},
    tenant::Tenants,
    usage::{Report, Reports},
};

use super::named;
use crate::{
    audit::{AuditPage, Log, Wanted},
    usage,
};

/// Who changed what in a tenant, from where.
#[utoipa::path(
    get,
    path = "/api/admin/tenants/{id}/audit",
    operation_id = "adminListAudit",
    tag = "admin",
    params(("id" = String, Path, description = "The tenant's id"), Wanted),
    responses(
        (
            status = 200, description = "A page of the audit log; with `format=jsonl` an entry a line",
            content((AuditPage = "application/json"), (String = "application/jsonl")),
        ),
        Errors
    )
)]
pub(crate) async fn audit(
    _: Operator,
    State(tenants): State<Tenants>,
    State(audit): State<Audit>,
    Segment(id): Segment,
    Params(wanted): Params<Wanted>,
) -> Handled<Response> {
    let tenant = tenants.get(named(id)?).await?;
    wanted.page(&audit, Log::Tenant(tenant.id), &format!("/api/admin/tenants/{}/audit", tenant.id)).await
}

/// What a tenant has used.
#[utoipa::path(
    get,
    path = "/api/admin/tenants/{id}/usage",
    operation_id = "adminGetUsage",
    tag = "admin",
    params(("id" = String, Path, description = "The tenant's id"), usage::Wanted),
    responses(
        (status = 200, description = "The usage", content((Report = "application/json"), (String = "text/csv"))),
        Errors
    )
)]
pub(crate) async fn usage(
    _: Operator,
    State(tenants): State<Tenants>,
    State(reports): State<Reports>,
    State(clock): State<Clock>,
    headers: HeaderMap,
    Segment(id): Segment,
    Params(wanted): Params<usage::Wanted>,
) -> Handled<Response> {
    let tenant = tenants.get(named(id)?).await?;
    Ok(wanted.report(&reports, tenant.id, clock.now(), &headers).await?)
}

/// What those who work for the operator did.
#[utoipa::path(
    get,
    path = "/api/admin/audit",
    operation_id = "adminListOperations",
    tag = "admin",
    params(Wanted),
    responses(
        (
            status = 200, description = "A page of the operator's audit log; with `format=jsonl` an entry a line",
            content((AuditPage = "application/json"), (String = "application/jsonl")),
        ),
        Errors
    )
)]
pub(crate) async fn operated(
    _: Operator,
    State(audit): State<Audit>,
    Params(wanted): Params<Wanted>,
) -> Handled<Response> {
    wanted.page(&audit, Log::Operators, "/api/admin/audit").await
}
