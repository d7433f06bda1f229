//! Signing in, going on and signing out. There are no cookies: a token in a header field is sent by nobody but the page
//! or program that has it, so no other page can have requests sent in a person's name.

use axum::{Json, extract::State, http::StatusCode};
use lmo_shared::{
    audit::Source,
    auth::password::Password,
    error::Error,
    http::{Body, Errors, Handled, Segment},
    id::{SignInId, TenantId},
    mail::EmailAddress,
    people::{Accounts, Login, Person, SignIn},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{totp::proof, views::SignedIn};

/// Somebody who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The account's address.
    pub email: EmailAddress,
    /// Its password.
    pub password: Password,
    /// The tenant to work in; the one that the person has been a member of for longest if absent.
    pub tenant: Option<TenantId>,
    /// A code of the second factor, six digits.
    pub code: Option<String>,
    /// A recovery code instead.
    pub recovery_code: Option<String>,
}

/// A refresh token to be exchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The newest refresh token of the sign-in.
    pub refresh_token: String,
    /// The tenant to work in from now on; the same as before if absent.
    pub tenant: Option<TenantId>,
}

/// A sign-in to be ended.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogoutRequest {
    /// A refresh token of it.
    pub refresh_token: String,
}

/// Signs somebody in.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    operation_id = "login",
    tag = "auth",
    security(()),
    request_body = LoginRequest,
    responses((status = 200, description = "Signed in", body = SignedIn), Errors)
)]
pub(super) async fn login(
    State(accounts): State<Accounts>,
    source: Source,
    Body(request): Body<LoginRequest>,
) -> Handled<Json<SignedIn>> {
    let LoginRequest { email, password, tenant, code, recovery_code } = request;
    let login = Login { email, password, tenant, proof: proof(code.as_deref(), recovery_code.as_deref())? };
    Ok(Json(accounts.log_in(login, &source).await?.into()))
}

/// Exchanges a refresh token for new tokens, in the same tenant or another one of the person's. If a token comes a second
/// time, its sign-in is ended.
#[utoipa::path(
    post,
    path = "/api/auth/refresh",
    operation_id = "refresh",
    tag = "auth",
    security(()),
    request_body = RefreshRequest,
    responses((status = 200, description = "New tokens", body = SignedIn), Errors)
)]
pub(super) async fn refresh(
    State(accounts): State<Accounts>,
    source: Source,
    Body(request): Body<RefreshRequest>,
) -> Handled<Json<SignedIn>> {
    Ok(Json(accounts.refresh(&request.refresh_token, request.tenant, &source).await?.into()))
}

/// Signs out. A token that is not valid any more changes nothing. Access tokens of the sign-in end by themselves within
/// ten minutes.
#[utoipa::path(
    post,
    path = "/api/auth/logout",
    operation_id = "logout",
    tag = "auth",
    security(()),
    request_body = LogoutRequest,
    responses((status = 204, description = "Signed out"), Errors)
)]
pub(super) async fn logout(
    State(accounts): State<Accounts>,
    source: Source,
    Body(request): Body<LogoutRequest>,
) -> Handled<StatusCode> {
    accounts.sign_out(&request.refresh_token, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Signs out everywhere, here too.
#[utoipa::path(
    post,
    path = "/api/auth/logout-all",
    operation_id = "logoutAll",
    tag = "auth",
    responses((status = 204, description = "Signed out"), Errors)
)]
pub(super) async fn logout_all(State(accounts): State<Accounts>, person: Person) -> Handled<StatusCode> {
    accounts.sign_out_everywhere(&person).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A sign-in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInView {
    /// Its identifier.
    pub id: SignInId,
    /// Whether it is the one that asks.
    pub current: bool,
    /// The tenant that it is for; absent for an operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Whether the second factor was shown.
    pub second_factor: bool,
    /// When it began, RFC 3339.
    pub created_at: String,
    /// When it was used last, RFC 3339.
    pub used_at: String,
    /// From which address it was used last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// By which program it was used last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// The sign-ins of a person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInList {
    /// Those that go on, the newest first, at most 100.
    pub sessions: Vec<SignInView>,
}

/// The person's sign-ins.
#[utoipa::path(
    get,
    path = "/api/auth/sessions",
    operation_id = "listSignIns",
    tag = "auth",
    responses((status = 200, description = "The sign-ins", body = SignInList), Errors)
)]
pub(super) async fn list(State(accounts): State<Accounts>, person: Person) -> Handled<Json<SignInList>> {
    let view = |sign_in: SignIn| SignInView {
        id: sign_in.id,
        current: sign_in.id == person.sign_in,
        tenant: sign_in.tenant,
        second_factor: sign_in.second_factor,
        created_at: sign_in.created_at.to_string(),
        used_at: sign_in.used_at.to_string(),
        address: sign_in.source.address.map(|address| address.to_string()),
        user_agent: sign_in.source.user_agent,
    };
    let sessions = accounts.sign_ins(&person).await?.into_iter().map(view).collect();
    Ok(Json(SignInList { sessions }))
}

/// Ends one of the person's sign-ins.
#[utoipa::path(
    delete,
    path = "/api/auth/sessions/{id}",
    operation_id = "endSignIn",
    tag = "auth",
    params(("id" = String, Path, description = "The sign-in's id")),
    responses((status = 204, description = "It is over"), Errors)
)]
pub(super) async fn end(State(accounts): State<Accounts>, person: Person, Segment(id): Segment) -> Handled<StatusCode> {
    let id = SignInId::parse(&id).ok_or(Error::NotFound { kind: "session", id })?;
    accounts.end_sign_in(&person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
