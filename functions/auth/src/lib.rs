//! The `auth` function: people sign up, sign in and out, and keys are exchanged for tokens.

use axum::extract::FromRef;
use lmo_shared::{auth::Authenticator, clock::Clock, platform::Platform};
use utoipa_axum::{router::OpenApiRouter, routes};

mod task;
mod token;
mod well_known;

pub use task::Task;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct State {
    authenticator: Authenticator,
    clock: Clock,
}

/// The function's routes.
#[must_use]
pub fn router(platform: &Platform, authenticator: Authenticator) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(token::issue))
        .routes(routes!(well_known::keys))
        .routes(routes!(well_known::configuration))
        .with_state(State { authenticator, clock: platform.clock().clone() })
}
