//! The `tenant` function: what a tenant manages by itself, its conversations, and what it has used.

use std::sync::Arc;

use axum::extract::FromRef;
use lmo_shared::{
    audit::Audit, auth::Authenticator, clock::Clock, llm::catalogue::Catalogues, platform::Platform, session::Sessions,
    tenant::Tenants, usage::Reports, webhook::Webhooks,
};
use utoipa_axum::{router::OpenApiRouter, routes};

mod audit;
mod config;
mod keys;
mod sessions;
mod task;
mod usage;
mod webhooks;

pub use task::Task;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct State {
    authenticator: Authenticator,
    tenants: Tenants,
    catalogues: Arc<Catalogues>,
    reports: Reports,
    sessions: Sessions,
    audit: Audit,
    webhooks: Webhooks,
    clock: Clock,
}

/// The function's routes.
pub fn router(platform: &Platform, authenticator: Authenticator, catalogues: Arc<Catalogues>) -> OpenApiRouter {
    let state = State {
        authenticator,
        tenants: platform.tenants(),
        reports: platform.reports(Arc::clone(&catalogues)),
        catalogues,
        sessions: platform.sessions(),
        audit: platform.audit(),
        webhooks: platform.webhooks(),
        clock: platform.clock().clone(),
    };
    OpenApiRouter::new()
        .routes(routes!(audit::list))
        .routes(routes!(config::get, config::put))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(sessions::get, sessions::delete))
        .routes(routes!(usage::report))
        .merge(webhooks::router())
        .with_state(state)
}
