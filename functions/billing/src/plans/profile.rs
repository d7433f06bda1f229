//! `/api/billing/profile`: who buys.

use axum::extract::State;
use lmo_shared::{
    audit::IfMatch,
    auth::Caller,
    billing::{Profile, repo::Buyers},
    clock::Clock,
    http::{Body, Errors, Handled, Versioned},
};

/// Who buys, as it stands on invoices. Without a name there they have the tenant's.
#[utoipa::path(
    get,
    path = "/api/billing/profile",
    operation_id = "getBillingProfile",
    tag = "billing",
    responses((status = 200, description = "Who buys, with its `ETag`", body = Profile), Errors)
)]
pub(super) async fn get(caller: Caller, State(buyers): State<Buyers>) -> Handled<Versioned<Profile>> {
    let buyer = buyers.get(caller.tenant().id).await?;
    Ok(Versioned(buyer.version, buyer.profile))
}

/// Replaces who buys. Invoices that are final keep what they have.
#[utoipa::path(
    put,
    path = "/api/billing/profile",
    operation_id = "putBillingProfile",
    tag = "billing",
    request_body = Profile,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is replaced")),
    responses((status = 200, description = "Who buys now", body = Profile), Errors)
)]
pub(super) async fn put(
    caller: Caller,
    State(buyers): State<Buyers>,
    State(clock): State<Clock>,
    version: IfMatch,
    Body(profile): Body<Profile>,
) -> Handled<Versioned<Profile>> {
    let buyer = buyers.put(caller.tenant().id, version, &profile, &caller.actor(), clock.now()).await?;
    Ok(Versioned(buyer.version, buyer.profile))
}
