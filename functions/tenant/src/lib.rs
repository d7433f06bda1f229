//! The `tenant` function: what a tenant manages by itself, its conversations, and what it has used.

use std::sync::Arc;

use axum::extract::FromRef;
use lmo_shared::{
    audit::Audit, auth::Authenticator, clock::Clock, llm::catalogue::Catalogues, outbound::Outbound,
    platform::Platform, seal::Seal, session::Sessions, template::Templates, tenant::Tenants, usage::Reports,
};
use utoipa_axum::{router::OpenApiRouter, routes};

mod audit;
mod config;
mod keys;
mod profile;
mod providers;
mod sessions;
mod templates;
mod usage;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct State {
    authenticator: Authenticator,
    tenants: Tenants,
    catalogues: Arc<Catalogues>,
    reports: Reports,
    sessions: Sessions,
    templates: Templates,
    seal: Seal,
    outbound: Outbound,
    audit: Audit,
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
        templates: platform.templates(),
        seal: platform.seal(),
        outbound: platform.outbound(),
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
        .routes(routes!(providers::list))
        .routes(routes!(providers::put, providers::delete))
        .routes(routes!(sessions::get, sessions::delete))
        .routes(routes!(templates::list))
        .routes(routes!(templates::get, templates::put, templates::delete))
        .routes(routes!(usage::report))
        .with_state(state)
}
