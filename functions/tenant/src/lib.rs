//! The `tenant` function: what a tenant manages by itself, its conversations, and what it has used.

use std::sync::Arc;

use axum::extract::FromRef;
use lmo_shared::{
    auth::Authenticator, clock::Clock, llm::catalogue::Catalogues, session::Sessions, tenant::Tenants, usage::Reports,
};
use utoipa_axum::{router::OpenApiRouter, routes};

mod config;
mod keys;
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
    clock: Clock,
}

/// The function's routes.
pub fn router(
    authenticator: Authenticator,
    tenants: Tenants,
    catalogues: Arc<Catalogues>,
    reports: Reports,
    sessions: Sessions,
    clock: Clock,
) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(config::get, config::put))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(sessions::get, sessions::delete))
        .routes(routes!(usage::report))
        .with_state(State { authenticator, tenants, catalogues, reports, sessions, clock })
}
