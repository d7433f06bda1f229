//! `/api/auth/totp`: codes by time as second factor.

use axum::{Json, extract::State, http::StatusCode};
use lmo_shared::{
    auth::{RecoveryCode, TotpCode, password::Password},
    error::Error,
    http::{Body, Errors, Handled},
    people::{Accounts, Person, Proof},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A second factor to be set up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpRequest {
    /// The account's password.
    pub password: Password,
}

/// A second factor that is being set up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TotpSecretView {
    /// For people who type it into an app. It is shown this once.
    pub secret: String,
    /// For apps, as a QR code.
    pub uri: String,
}

/// A code of the second factor that is being set up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpConfirmation {
    /// Six digits.
    pub code: String,
}

/// What signs somebody in who has lost the second factor.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// Each is good once. They are shown this once.
    pub recovery_codes: Vec<String>,
}

/// A second factor to be turned off.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpEnd {
    /// The account's password.
    pub password: Password,
    /// A code, six digits.
    pub code: Option<String>,
    /// A recovery code instead.
    pub recovery_code: Option<String>,
}

/// Begins to set up a second factor. It is asked for once a code is shown.
#[utoipa::path(
    post,
    path = "/api/auth/totp",
    operation_id = "beginTotp",
    tag = "auth",
    request_body = TotpRequest,
    responses((status = 200, description = "The secret", body = TotpSecretView), Errors)
)]
pub(super) async fn begin(
    State(accounts): State<Accounts>,
    person: Person,
    Body(request): Body<TotpRequest>,
) -> Handled<Json<TotpSecretView>> {
    let enrolment = accounts.begin_second_factor(&person, &request.password).await?;
    Ok(Json(TotpSecretView { secret: enrolment.secret, uri: enrolment.uri }))
}

/// Shows a code of the second factor that is being set up. From now on signing in takes one.
#[utoipa::path(
    post,
    path = "/api/auth/totp/confirm",
    operation_id = "confirmTotp",
    tag = "auth",
    request_body = TotpConfirmation,
    responses((status = 200, description = "The recovery codes", body = RecoveryCodes), Errors)
)]
pub(super) async fn confirm(
    State(accounts): State<Accounts>,
    person: Person,
    Body(request): Body<TotpConfirmation>,
) -> Handled<Json<RecoveryCodes>> {
    let codes = accounts.confirm_second_factor(&person, totp(&request.code)?).await?;
    Ok(Json(RecoveryCodes { recovery_codes: codes.iter().map(RecoveryCode::text).collect() }))
}

/// Turns the second factor off.
#[utoipa::path(
    delete,
    path = "/api/auth/totp",
    operation_id = "endTotp",
    tag = "auth",
    request_body = TotpEnd,
    responses((status = 204, description = "It is off"), Errors)
)]
pub(super) async fn end(
    State(accounts): State<Accounts>,
    person: Person,
    Body(request): Body<TotpEnd>,
) -> Handled<StatusCode> {
    let proof = proof(request.code.as_deref(), request.recovery_code.as_deref())?;
    let proof = proof.ok_or_else(|| Error::invalid("code", "a code or a recovery_code is needed"))?;
    accounts.end_second_factor(&person, &request.password, &proof).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What shows the second factor, if something does.
pub(super) fn proof(code: Option<&str>, recovery_code: Option<&str>) -> Result<Option<Proof>, Error> {
    let bad = || Error::invalid("recovery_code", "a recovery code has 16 letters and digits");
    match (code, recovery_code) {
        (None, None) => Ok(None),
        (Some(code), None) => Ok(Some(Proof::Code(totp(code)?))),
        (None, Some(code)) => Ok(Some(Proof::Recovery(RecoveryCode::parse(code).ok_or_else(bad)?))),
        (Some(_), Some(_)) => Err(Error::invalid("recovery_code", "give a code or a recovery_code, not both")),
    }
}

fn totp(code: &str) -> Result<TotpCode, Error> {
    TotpCode::parse(code).ok_or_else(|| Error::invalid("code", "a code has six digits"))
}
