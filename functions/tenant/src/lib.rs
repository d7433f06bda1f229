//! The `tenant` function: what a tenant manages by itself, its conversations, and what it has used.

use std::sync::Arc;

use axum::extract::FromRef;
use lmo_shared::{
    audit::Audit,
    auth::{Authenticator, Operators, Throttle},
    billing::repo::Subscriptions,
    clock::Clock,
    llm::catalogue::Catalogues,
    mail::Mailer,
    oidc::Providers,
    outbound::Outbound,
    people::Staff,
    platform::Platform,
    quota::Meters,
    seal::Seal,
    session::Sessions,
    template::Templates,
    tenant::{Announcements, Exports, Invites, Members, Tenants},
    usage::Reports,
    webhook::Webhooks,
};
use sign_in::Deployment;
use utoipa_axum::{router::OpenApiRouter, routes};

mod admin;
mod audit;
mod config;
mod deletion;
mod export;
mod invites;
mod keys;
mod members;
mod profile;
mod providers;
mod sessions;
mod sign_in;
mod task;
mod templates;
mod usage;
mod webhooks;

pub use task::Task;

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
    mailer: Mailer,
    catalogues: Arc<Catalogues>,
    reports: Reports,
    sessions: Sessions,
    operators: Operators,
    staff: Staff,
    subscriptions: Subscriptions,
    meters: Meters,
    templates: Templates,
    seal: Seal,
    outbound: Outbound,
    audit: Audit,
    providers: Providers,
    deployment: Deployment,
    webhooks: Webhooks,
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
        subscriptions: platform.subscriptions(),
        meters: platform.meters(),
        authenticator,
        tenants: platform.tenants(),
        members: platform.members(),
        invites: platform.invites(mailer.clone()),
        exports: platform.exports(),
        throttle: platform.throttle(),
        announcements: platform.announcements(mailer.clone()),
        mailer,
        reports: platform.reports(Arc::clone(&catalogues)),
        catalogues,
        sessions: platform.sessions(),
        templates: platform.templates(),
        seal: platform.seal(),
        outbound: platform.outbound(),
        audit: platform.audit(),
        providers: platform.identity_providers(),
        deployment: Deployment(platform.config().issuer.clone()),
        webhooks: platform.webhooks(),
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
        .routes(routes!(sign_in::get, sign_in::put, sign_in::delete))
        .routes(routes!(providers::list))
        .routes(routes!(providers::put, providers::delete))
        .routes(routes!(templates::list))
        .routes(routes!(templates::get, templates::put, templates::delete))
        .routes(routes!(usage::report))
        .routes(routes!(admin::list::list, admin::create::create))
        .routes(routes!(admin::tenant::get, admin::tenant::change))
        .routes(routes!(admin::tenant::suspend))
        .routes(routes!(admin::tenant::resume))
        .routes(routes!(admin::look::audit))
        .routes(routes!(admin::look::usage))
        .routes(routes!(admin::look::operated))
        .merge(webhooks::router())
        .with_state(state)
}
