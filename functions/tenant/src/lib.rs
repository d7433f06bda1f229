//! The `tenant` function: what a tenant manages by itself, its conversations, and what it has used.

use std::sync::Arc;

use axum::extract::FromRef;
use lmo_shared::{
    audit::Audit,
    auth::{Authenticator, Operators},
    clock::Clock,
    llm::catalogue::Catalogues,
    mail::Mailer,
    people::Staff,
    platform::Platform,
    quota::Meters,
    session::Sessions,
    tenant::Tenants,
    usage::Reports,
};
use utoipa_axum::{router::OpenApiRouter, routes};

mod admin;
mod audit;
mod config;
mod keys;
mod profile;
mod sessions;
mod usage;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct State {
    authenticator: Authenticator,
    tenants: Tenants,
    catalogues: Arc<Catalogues>,
    reports: Reports,
    sessions: Sessions,
    audit: Audit,
    operators: Operators,
    staff: Staff,
    meters: Meters,
    mailer: Mailer,
    clock: Clock,
}

/// The function's routes.
pub fn router(
    platform: &Platform,
    authenticator: Authenticator,
    catalogues: Arc<Catalogues>,
    mailer: Mailer,
) -> OpenApiRouter {
    let state = State {
        operators: platform.operators(&authenticator),
        staff: platform.staff(),
        meters: platform.meters(),
        mailer,
        authenticator,
        tenants: platform.tenants(),
        reports: platform.reports(Arc::clone(&catalogues)),
        catalogues,
        sessions: platform.sessions(),
        audit: platform.audit(),
        clock: platform.clock().clone(),
    };
    OpenApiRouter::new()
        .routes(routes!(audit::list))
        .routes(routes!(config::get, config::put))
        .routes(routes!(profile::get, profile::change))
        .routes(routes!(keys::read::list, keys::create::create))
        .routes(routes!(keys::read::get, keys::change::change, keys::revoke::revoke))
        .routes(routes!(keys::rotate::rotate))
        .routes(routes!(sessions::get, sessions::delete))
        .routes(routes!(usage::report))
        .routes(routes!(admin::list::list, admin::create::create))
        .routes(routes!(admin::tenant::get, admin::tenant::change))
        .routes(routes!(admin::tenant::suspend))
        .routes(routes!(admin::tenant::resume))
        .routes(routes!(admin::look::audit))
        .routes(routes!(admin::look::usage))
        .routes(routes!(admin::look::operated))
        .with_state(state)
}
