//! `/api/billing/plan`: which plan a tenant is on; and `/api/billing/plans`: which there are.

use axum::{Json, extract::State};
use lmo_shared::{
    audit::IfMatch,
    auth::{Authenticator, Caller},
    billing::{
        Amount, Currency, Grant, Off, Plan, Redeemed,
        repo::{Choice, Chooser, Grants, Plans, Subscribed, Subscriptions, When, grants},
    },
    clock::{Clock, Period, Timestamp},
    error::Error,
    http::{Body, Errors, Handled, Versioned},
    quota::Limits,
    tenant::{Tenant, Tenants},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Plans.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanList {
    /// The plans, by name.
    pub plans: Vec<Plan>,
}

/// Which plan a tenant is on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanView {
    /// The version of the plan that holds now; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// Since when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The plan that is to come, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextPlan>,
    /// When the trial ends, or ended, RFC 3339; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_until: Option<String>,
    /// Coupons that were redeemed, in order.
    pub coupons: Vec<RedeemedView>,
    /// Prepaid credit that this month can use, by currency: what no invoice has used yet.
    pub credit: Vec<CreditLeft>,
    /// What may be used.
    pub limits: Limits,
}

/// A plan that is to come.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NextPlan {
    /// The version of the plan.
    pub plan: Plan,
    /// From when, RFC 3339.
    pub from: String,
}

/// Prepaid credit in one currency.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditLeft {
    /// The currency.
    pub currency: Currency,
    /// How much.
    pub amount: Amount,
}

impl CreditLeft {
    /// What a month can use of a tenant's credit, by currency.
    pub(crate) fn of(all: &[Grant], month: Period) -> Result<Vec<Self>, Error> {
        let mut currencies: Vec<_> = all.iter().map(|grant| grant.currency).collect();
        currencies.sort_unstable();
        currencies.dedup();
        let left = |currency| {
            let amount = grants::left(&grants::usable(all.to_vec(), currency, month))?;
            Ok(Self { currency, amount })
        };
        currencies.into_iter().map(left).collect()
    }
}

/// A coupon that was redeemed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RedeemedView {
    /// Its code.
    pub code: String,
    /// How much.
    pub off: Off,
    /// The currency of an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// When, RFC 3339.
    pub redeemed_at: String,
    /// For how many months, from that one; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub periods: Option<u32>,
}

impl From<&Redeemed> for RedeemedView {
    fn from(redeemed: &Redeemed) -> Self {
        let Redeemed { code, off, currency, at, periods } = redeemed.clone();
        Self { code, off, currency, redeemed_at: at.to_string(), periods }
    }
}

/// A plan to move to.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// Its name.
    pub plan: String,
    /// From when: at once if absent.
    #[serde(default)]
    pub when: When,
}

impl PlanView {
    /// What is known of a tenant's plan.
    pub(super) async fn of(
        tenant: &Tenant,
        subscribed: Option<&Subscribed>,
        all: &Grants,
        now: Timestamp,
    ) -> Result<Versioned<Self>, Error> {
        let terms: Vec<_> = subscribed.iter().flat_map(|subscribed| subscribed.terms()).collect();
        let current = terms.iter().rev().find(|(term, _)| term.from <= now);
        let next = terms.iter().find(|(term, _)| term.from > now);
        let next = next.map(|(term, plan)| NextPlan { plan: (***plan).clone(), from: term.from.to_string() });
        let subscription = subscribed.map(|subscribed| &subscribed.subscription);
        let credit = CreditLeft::of(&all.of(tenant.id).await?, Period::month(now))?;
        let view = Self {
            plan: current.map(|(_, plan)| (***plan).clone()),
            since: current.map(|(term, _)| term.from.to_string()),
            next,
            trial_until: subscription.and_then(|one| one.trial_until).map(|until| until.to_string()),
            coupons: subscription.iter().flat_map(|one| &one.coupons).map(RedeemedView::from).collect(),
            credit,
            limits: tenant.limits,
        };
        Ok(Versioned(subscription.map_or(0, |one| one.version), view))
    }
}

/// The plan that the tenant is on, and what is to come.
#[utoipa::path(
    get,
    path = "/api/billing/plan",
    operation_id = "getPlan",
    tag = "billing",
    responses((status = 200, description = "The plan, with its `ETag`", body = PlanView), Errors)
)]
pub(super) async fn get(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(subscriptions): State<Subscriptions>,
    State(grants): State<Grants>,
    State(clock): State<Clock>,
) -> Handled<Versioned<PlanView>> {
    let tenant = tenants.get(caller.tenant().id).await?;
    let subscribed = subscriptions.find(&tenant).await?;
    Ok(PlanView::of(&tenant, subscribed.as_ref(), &grants, clock.now()).await?)
}

/// Moves the tenant to a plan, at once or with the next month. What it costs is prorated. What was to come is given up, so
/// choosing the plan that holds takes a change back. Limits hold within 30 s.
#[utoipa::path(
    put,
    path = "/api/billing/plan",
    operation_id = "putPlan",
    tag = "billing",
    request_body = PlanRequest,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is replaced")),
    responses((status = 200, description = "The plan, and what is to come", body = PlanView), Errors)
)]
pub(super) async fn put(
    caller: Caller,
    State(subscriptions): State<Subscriptions>,
    State(grants): State<Grants>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    version: IfMatch,
    Body(PlanRequest { plan, when }): Body<PlanRequest>,
) -> Handled<Versioned<PlanView>> {
    let (tenant, actor) = (caller.tenant().id, caller.actor());
    let choice = Choice { tenant, plan: &plan, when, version, chooser: Chooser::Tenant, actor: &actor };
    let (subscribed, tenant) = subscriptions.choose(choice).await?;
    authenticator.forget(tenant.id);
    Ok(PlanView::of(&tenant, Some(&subscribed), &grants, clock.now()).await?)
}

/// The plans that a tenant can move to by itself.
#[utoipa::path(
    get,
    path = "/api/billing/plans",
    operation_id = "listPlans",
    tag = "billing",
    responses((status = 200, description = "The plans", body = PlanList), Errors)
)]
pub(super) async fn list(_: Caller, State(plans): State<Plans>, State(clock): State<Clock>) -> Handled<Json<PlanList>> {
    let plans = plans.list(clock.now()).await?;
    let public = plans.iter().filter(|plan| plan.public).map(|plan| (**plan).clone());
    Ok(Json(PlanList { plans: public.collect() }))
}
