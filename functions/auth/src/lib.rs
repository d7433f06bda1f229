//! The `auth` function: people sign up, sign in and out, and keys are exchanged for tokens.

use axum::extract::FromRef;
use lmo_shared::{auth::Authenticator, clock::Clock, mail::Mailer, people::Accounts, platform::Platform};
use utoipa_axum::{router::OpenApiRouter, routes};

mod invites;
mod me;
mod oidc;
mod password;
mod register;
mod sessions;
mod task;
mod token;
mod totp;
mod views;
mod well_known;

pub use task::Task;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct State {
    authenticator: Authenticator,
    accounts: Accounts,
    clock: Clock,
}

/// The function's routes.
#[must_use]
pub fn router(platform: &Platform, authenticator: Authenticator, mailer: Mailer) -> OpenApiRouter {
    let accounts = platform.accounts(&authenticator, mailer);
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(me::verify))
        .routes(routes!(me::resend))
        .routes(routes!(sessions::login))
        .routes(routes!(sessions::refresh))
        .routes(routes!(sessions::logout))
        .routes(routes!(sessions::logout_all))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::end))
        .routes(routes!(me::get, me::patch))
        .routes(routes!(invites::accept))
        .routes(routes!(oidc::begin))
        .routes(routes!(oidc::finish))
        .routes(routes!(password::change))
        .routes(routes!(password::forgot))
        .routes(routes!(password::reset))
        .routes(routes!(totp::begin, totp::end))
        .routes(routes!(totp::confirm))
        .routes(routes!(token::issue))
        .routes(routes!(well_known::keys))
        .routes(routes!(well_known::configuration))
        .with_state(State { authenticator, accounts, clock: platform.clock().clone() })
}
