//! What is sold, which plan a tenant is on, its coupons, its prepaid credit, and who it is.

use std::sync::Arc;

use axum::extract::FromRef;
use lmo_shared::{
    auth::{Authenticator, Operators, Throttle},
    billing::repo::{BillingSettings, Buyers, Coupons, Grants, Plans, Subscriptions},
    clock::Clock,
    error::Error,
    id::TenantId,
    llm::catalogue::Catalogues,
    platform::Platform,
    tenant::Tenants,
};
use utoipa_axum::{router::OpenApiRouter, routes};

mod admin;
mod coupons;
mod credits;
mod plan;
mod profile;
mod settings;

pub(crate) use plan::CreditLeft;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct State {
    authenticator: Authenticator,
    operators: Operators,
    tenants: Tenants,
    plans: Plans,
    subscriptions: Subscriptions,
    coupons: Coupons,
    grants: Grants,
    buyers: Buyers,
    settings: BillingSettings,
    catalogues: Arc<Catalogues>,
    clock: Clock,
    throttle: Throttle,
}

/// The routes of plans.
pub(crate) fn router(platform: &Platform, authenticator: &Authenticator) -> OpenApiRouter {
    let state = State {
        operators: platform.operators(authenticator),
        authenticator: authenticator.clone(),
        tenants: platform.tenants(),
        plans: platform.plans(),
        subscriptions: platform.subscriptions(),
        coupons: platform.coupons(),
        grants: platform.grants(),
        buyers: platform.buyers(),
        settings: platform.billing_settings(),
        catalogues: platform.catalogues(),
        clock: platform.clock().clone(),
        throttle: platform.throttle(),
    };
    OpenApiRouter::new()
        .routes(routes!(plan::get, plan::put))
        .routes(routes!(plan::list))
        .routes(routes!(coupons::redeem))
        .routes(routes!(credits::list))
        .routes(routes!(profile::get, profile::put))
        .routes(routes!(admin::plans::list))
        .routes(routes!(admin::plans::get, admin::plans::put))
        .routes(routes!(admin::coupons::list, admin::coupons::create))
        .routes(routes!(admin::coupons::get, admin::coupons::delete))
        .routes(routes!(admin::tenants::plan, admin::tenants::choose))
        .routes(routes!(admin::tenants::credits, admin::tenants::give))
        .routes(routes!(settings::get, settings::put))
        .with_state(state)
}

/// The tenant that a path names. What can be no tenant's id is the id of none.
fn tenant(id: String) -> Result<TenantId, Error> {
    TenantId::parse(&id).ok_or(Error::NotFound { kind: "tenant", id })
}
