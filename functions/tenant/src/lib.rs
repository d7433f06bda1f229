//! The `tenant` function: what a tenant manages by itself, its conversations, and what it has used.

use std::sync::Arc;

use axum::extract::FromRef;
use lmo_shared::{
    audit::Audit,
    auth::{Authenticator, Throttle},
    clock::Clock,
    llm::catalogue::Catalogues,
    mail::Mailer,
    platform::Platform,
    session::Sessions,
    tenant::{Announcements, Exports, Invites, Members, Tenants},
    usage::Reports,
};
use utoipa_axum::{router::OpenApiRouter, routes};

mod audit;
mod config;
mod deletion;
mod export;
mod invites;
mod keys;
mod members;
mod profile;
mod sessions;
mod usage;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct State {
    authenticator: Authenticator,
    tenants: Tenants,
    members: Members,
    invites: Invites,
    exports: Exports,
    throttle: Throttle,
    announcements: Announcements,
    catalogues: Arc<Catalogues>,
    reports: Reports,
    sessions: Sessions,
    audit: Audit,
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
        authenticator,
        tenants: platform.tenants(),
        members: platform.members(),
        invites: platform.invites(mailer.clone()),
        exports: platform.exports(),
        throttle: platform.throttle(),
        announcements: platform.announcements(mailer),
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
        .routes(routes!(deletion::delete))
        .routes(routes!(deletion::restore))
        .routes(routes!(export::begin, export::page))
        .routes(routes!(invites::list, invites::create))
        .routes(routes!(invites::revoke))
        .routes(routes!(invites::resend))
        .routes(routes!(members::list))
        .routes(routes!(members::get, members::change, members::remove))
        .routes(routes!(members::leave))
        .routes(routes!(members::transfer))
        .routes(routes!(sessions::get, sessions::delete))
        .routes(routes!(usage::report))
        .with_state(state)
}
