//! `/api/admin/billing/tenants/{id}`: a tenant's plan and its prepaid credit.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use lmo_shared::{
    audit::IfMatch,
    auth::{Authenticator, Operator},
    billing::{
        Amount, Currency,
        repo::{Choice, Chooser, Grants, Subscriptions, grants},
    },
    clock::{Clock, Timestamp},
    error::Error,
    http::{Body, Create, Created, Errors, Handled, PageParams, Params, Segment, Versioned, name},
    store::Change,
    tenant::Tenants,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::plans::{
    credits::{CreditList, CreditView, page},
    plan::{PlanRequest, PlanView},
    tenant,
};

/// Prepaid credit to be given.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveCreditRequest {
    /// How much.
    pub amount: Amount,
    /// The currency: that of the tenant's plan, or no invoice uses it.
    pub currency: Currency,
    /// Why, 1 to 100 characters; the tenant sees it.
    pub reason: String,
    /// When it expires, RFC 3339: it pays for months that begin before; absent: never.
    pub expires_at: Option<String>,
}

/// The plan that a tenant is on, and what is to come.
#[utoipa::path(
    get,
    path = "/api/admin/billing/tenants/{id}/plan",
    operation_id = "adminGetTenantPlan",
    tag = "admin",
    params(("id" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The plan, with its `ETag`", body = PlanView), Errors)
)]
pub(crate) async fn plan(
    _: Operator,
    State(tenants): State<Tenants>,
    State(subscriptions): State<Subscriptions>,
    State(grants): State<Grants>,
    State(clock): State<Clock>,
    Segment(id): Segment,
) -> Handled<Versioned<PlanView>> {
    let tenant = tenants.get(tenant(id)?).await?;
    let subscribed = subscriptions.find(&tenant).await?;
    Ok(PlanView::of(&tenant, subscribed.as_ref(), &grants, clock.now()).await?)
}

/// Moves a tenant to a plan, also to one that isn't public, at once or with the next month. It has the plan's limits then.
#[utoipa::path(
    put,
    path = "/api/admin/billing/tenants/{id}/plan",
    operation_id = "adminPutTenantPlan",
    tag = "admin",
    request_body = PlanRequest,
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is replaced"),
    ),
    responses((status = 200, description = "The plan, and what is to come", body = PlanView), Errors)
)]
#[expect(clippy::too_many_arguments, reason = "extractors")]
pub(crate) async fn choose(
    operator: Operator,
    State(subscriptions): State<Subscriptions>,
    State(grants): State<Grants>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    version: IfMatch,
    Segment(id): Segment,
    Body(PlanRequest { plan, when }): Body<PlanRequest>,
) -> Handled<Versioned<PlanView>> {
    let (tenant, actor) = (tenant(id)?, operator.actor());
    let choice = Choice { tenant, plan: &plan, when, version, chooser: Chooser::Operator, actor: &actor };
    let (subscribed, tenant) = subscriptions.choose(choice).await?;
    authenticator.forget(tenant.id);
    Ok(PlanView::of(&tenant, Some(&subscribed), &grants, clock.now()).await?)
}

/// A tenant's prepaid credit, also what is used up.
#[utoipa::path(
    get,
    path = "/api/admin/billing/tenants/{id}/credits",
    operation_id = "adminListCredits",
    tag = "admin",
    params(("id" = String, Path, description = "The tenant's id"), PageParams),
    responses((status = 200, description = "A page of credit", body = CreditList), Errors)
)]
pub(crate) async fn credits(
    _: Operator,
    State(tenants): State<Tenants>,
    State(grants): State<Grants>,
    Segment(id): Segment,
    Params(params): Params<PageParams>,
) -> Handled<Json<CreditList>> {
    let tenant = tenants.get(tenant(id)?).await?;
    Ok(page(&grants, tenant.id, &params).await?)
}

/// Gives a tenant prepaid credit, for which no invoice is written. On a prepaid plan it can be used at once.
#[utoipa::path(
    post,
    path = "/api/admin/billing/tenants/{id}/credits",
    operation_id = "adminGiveCredit",
    tag = "admin",
    request_body = GiveCreditRequest,
    params(
        ("id" = String, Path, description = "The tenant's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Gives it once, however often it is sent"),
    ),
    responses((status = 201, description = "The credit", body = CreditView), Errors)
)]
pub(crate) async fn give(
    operator: Operator,
    State(tenants): State<Tenants>,
    State(subscriptions): State<Subscriptions>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    Segment(id): Segment,
    Create { body, once }: Create<GiveCreditRequest>,
) -> Handled<Response> {
    let GiveCreditRequest { amount, currency, reason, expires_at } = body;
    let (now, actor) = (clock.now(), operator.actor());
    let tenant = tenants.get(tenant(id)?).await?.id;
    let reason = name("reason", 1, &reason)?;
    let bad = || Error::invalid("expires_at", "expires_at must be a time, RFC 3339, as in 2027-12-31T00:00:00Z");
    let expires_at = expires_at.map(|text| Timestamp::parse(&text).ok_or_else(bad)).transpose()?;
    let work = async |change: &mut Change| {
        let grant = grants::grant(amount, currency, reason, expires_at, now);
        Grants::give_as_operator(change, tenant, &grant, &actor)?;
        let refused = Error::Conflict("that credit was given already".to_owned());
        Ok(Created { status: StatusCode::CREATED, body: CreditView::from(&grant), refused })
    };
    let given = once.run(&tenants.of_operators(), &operator.user().to_string(), now, work).await?;
    // Also if it was given before: whoever asked may have been cut off here.
    subscriptions.recap(tenant).await?;
    authenticator.forget(tenant);
    Ok(given)
}
