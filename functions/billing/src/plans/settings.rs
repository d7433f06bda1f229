//! `/api/admin/billing/settings`.

use axum::extract::State;
use lmo_shared::{
    audit::IfMatch,
    auth::Operator,
    billing::{Settings, repo::BillingSettings},
    clock::Clock,
    error::Error,
    http::{Body, Errors, Handled, Versioned},
};

/// What the operator has said of billing.
#[utoipa::path(
    get,
    path = "/api/admin/billing/settings",
    operation_id = "adminGetBillingSettings",
    tag = "admin",
    responses((status = 200, description = "The settings, with their `ETag`", body = Settings), Errors)
)]
pub(super) async fn get(_: Operator, State(settings): State<BillingSettings>) -> Handled<Versioned<Settings>> {
    let none = || Error::NotFound { kind: "billing settings", id: "of this deployment".to_owned() };
    let found = settings.find().await?.ok_or_else(none)?;
    Ok(Versioned(found.version, found))
}

/// Says who sells, and how invoices are numbered, taxed and collected. Invoices that are final keep what they have.
#[utoipa::path(
    put,
    path = "/api/admin/billing/settings",
    operation_id = "adminPutBillingSettings",
    tag = "admin",
    request_body = Settings,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is replaced")),
    responses((status = 200, description = "The settings as they are now", body = Settings), Errors)
)]
pub(super) async fn put(
    operator: Operator,
    State(settings): State<BillingSettings>,
    State(clock): State<Clock>,
    version: IfMatch,
    Body(wanted): Body<Settings>,
) -> Handled<Versioned<Settings>> {
    let put = settings.put(wanted, version, &operator.actor(), clock.now()).await?;
    Ok(Versioned(put.version, put))
}
