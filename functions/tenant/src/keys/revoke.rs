//! `DELETE /api/tenant/keys/{id}`.

use axum::{extract::State, http::StatusCode};
use lmo_shared::{
    audit::IfMatch,
    auth::{Authenticator, Caller},
    clock::Clock,
    http::{Errors, Handled, Segment},
    tenant::{ApiKey, Tenants},
};

use super::{named, rules};

/// Revokes an API key that may do no more than you. It is refused within 30 s. Revoking it again changes nothing.
#[utoipa::path(
    delete,
    path = "/api/tenant/keys/{id}",
    operation_id = "revokeKey",
    tag = "tenant",
    params(
        ("id" = String, Path, description = "The key's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is revoked"),
    ),
    responses((status = 204, description = "It is revoked"), Errors)
)]
pub(crate) async fn revoke(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    version: IfMatch,
    Segment(id): Segment,
) -> Handled<StatusCode> {
    let tenant = caller.tenant().id;
    let may = |key: &ApiKey| rules::may_give(&caller, key);
    tenants.revoke_key(tenant, named(id)?, version, &caller.actor(), clock.now(), may).await?;
    authenticator.forget(tenant);
    Ok(StatusCode::NO_CONTENT)
}
