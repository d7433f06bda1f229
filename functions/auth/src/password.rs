//! `/api/auth/password`.

use axum::{extract::State, http::StatusCode};
use lmo_shared::{
    audit::Source,
    auth::password::Password,
    http::{Body, Errors, Handled},
    mail::EmailAddress,
    people::{Accounts, Person},
};
use serde::Deserialize;
use utoipa::ToSchema;

/// A password to be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The one of until now.
    pub current_password: Password,
    /// The one from now on: at least 12 characters, and none that is guessed early.
    pub password: Password,
}

/// A password that was forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgottenPassword {
    /// The account's address.
    pub email: EmailAddress,
}

/// A new password of somebody who opened the link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// What is behind `token=` in the link.
    pub token: String,
    /// The password from now on: at least 12 characters, and none that is guessed early.
    pub password: Password,
}

/// Changes the password of whoever is signed in. All other sign-ins end.
#[utoipa::path(
    post,
    path = "/api/auth/password",
    operation_id = "changePassword",
    tag = "auth",
    request_body = PasswordChange,
    responses((status = 204, description = "It is changed"), Errors)
)]
pub(super) async fn change(
    State(accounts): State<Accounts>,
    person: Person,
    Body(request): Body<PasswordChange>,
) -> Handled<StatusCode> {
    accounts.change_password(&person, &request.current_password, request.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a link to choose a new password, if the address has an account; the answer is the same if it has none.
#[utoipa::path(
    post,
    path = "/api/auth/password/forgot",
    operation_id = "forgotPassword",
    tag = "auth",
    security(()),
    request_body = ForgottenPassword,
    responses((status = 202, description = "A mail is on its way"), Errors)
)]
pub(super) async fn forgot(
    State(accounts): State<Accounts>,
    source: Source,
    Body(request): Body<ForgottenPassword>,
) -> Handled<StatusCode> {
    accounts.forgot_password(request.email, &source).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Chooses a new password. All sign-ins end, and a mail says so. The address is verified by it.
#[utoipa::path(
    post,
    path = "/api/auth/password/reset",
    operation_id = "resetPassword",
    tag = "auth",
    security(()),
    request_body = PasswordReset,
    responses((status = 204, description = "It is chosen"), Errors)
)]
pub(super) async fn reset(
    State(accounts): State<Accounts>,
    source: Source,
    Body(request): Body<PasswordReset>,
) -> Handled<StatusCode> {
    accounts.reset_password(&request.token, request.password, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}
