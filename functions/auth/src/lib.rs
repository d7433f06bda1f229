//! The `auth` function: people sign up, sign in and out, and keys are exchanged for tokens.

use axum::extract::FromRef;
use lmo_shared::{
    auth::{Authenticator, Tokens},
    clock::Clock,
    mail::Mailer,
    people::Accounts,
    platform::Platform,
};
use utoipa_axum::{router::OpenApiRouter, routes};

mod invites;
mod me;
mod name;
mod password;
mod register;
mod sessions;
mod totp;
mod views;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct State {
    authenticator: Authenticator,
    tokens: Tokens,
    accounts: Accounts,
    clock: Clock,
}

/// The function's routes.
#[must_use]
pub fn router(platform: &Platform, authenticator: Authenticator, mailer: Mailer) -> OpenApiRouter {
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
        .routes(routes!(password::change))
        .routes(routes!(password::forgot))
        .routes(routes!(password::reset))
        .routes(routes!(totp::begin, totp::end))
        .routes(routes!(totp::confirm))
        .with_state(State {
            authenticator,
            tokens: platform.tokens(),
            accounts: platform.accounts(mailer),
            clock: platform.clock().clone(),
        })
}
