//! `DELETE /api/tenant`, and the way back.

use axum::{Json, extract::State};
use lmo_shared::{
    audit::IfMatch,
    auth::{Authenticator, Caller, Role},
    clock::Clock,
    error::Result,
    http::{Body, Errors, Handled},
    id::TenantId,
    mail::{EmailAddress, Mail, Mailer},
    tenant::{Authority, Members, Status, Tenant, Tenants},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The tenant that is to be removed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Deletion {
    /// Its name, to confirm that it is meant.
    name: String,
}

/// Whether the tenant stays.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TenantState {
    /// Its identifier.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// Whether it may do anything.
    pub status: Status,
    /// When it will be removed, if it is being deleted, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<String>,
}

impl From<Tenant> for TenantState {
    fn from(tenant: Tenant) -> Self {
        let Tenant { id, name, status, delete_after, .. } = tenant;
        Self { id, name, status, delete_after: delete_after.map(|at| at.to_string()) }
    }
}

/// Has the tenant removed in 30 days. Until then its owners can take that back and export everything; nothing else works
/// for anybody within 30 s. All owners get a mail.
#[utoipa::path(
    delete,
    path = "/api/tenant",
    operation_id = "deleteTenant",
    tag = "tenant",
    request_body = Deletion,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant")),
    responses((status = 200, description = "When it will be removed", body = TenantState), Errors)
)]
pub(super) async fn delete(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(members): State<Members>,
    State(authenticator): State<Authenticator>,
    State(mailer): State<Mailer>,
    State(clock): State<Clock>,
    version: IfMatch,
    Body(Deletion { name }): Body<Deletion>,
) -> Handled<Json<TenantState>> {
    let (id, by) = (caller.tenant().id, Authority::from(&caller));
    let tenant = tenants.announce_deletion(id, &name, version, &by, clock.now()).await?;
    authenticator.forget(id);
    let state = TenantState::from(tenant);
    let until = state.delete_after.clone().unwrap_or_default();
    tell(&members, &mailer, id, |owner| Mail::tenant_deleted(owner, &state.name, &until)).await;
    Ok(Json(state))
}

/// Takes the removal of the tenant back. Everything works again within 30 s.
#[utoipa::path(
    post,
    path = "/api/tenant/restore",
    operation_id = "restoreTenant",
    tag = "tenant",
    responses((status = 200, description = "The tenant stays", body = TenantState), Errors)
)]
pub(super) async fn restore(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(members): State<Members>,
    State(authenticator): State<Authenticator>,
    State(mailer): State<Mailer>,
    State(clock): State<Clock>,
) -> Handled<Json<TenantState>> {
    let id = caller.tenant().id;
    let tenant = tenants.restore(id, &Authority::from(&caller), clock.now()).await?;
    authenticator.forget(id);
    tell(&members, &mailer, id, |owner| Mail::tenant_restored(owner, &tenant.name)).await;
    Ok(Json(tenant.into()))
}

/// Tells the owners. What has happened stays, whether or not they can be told.
async fn tell(members: &Members, mailer: &Mailer, tenant: TenantId, mail: impl Fn(EmailAddress) -> Mail) {
    let told: Result<()> = async {
        for owner in members.with_role(tenant, Role::Owner).await? {
            mailer.send(&mail(EmailAddress::parse(&owner.email)?)).await?;
        }
        Ok(())
    }
    .await;
    if let Err(error) = told {
        tracing::error!(error = ?error, "not all owners were told");
    }
}
