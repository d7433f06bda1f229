//! `POST /api/auth/invites/accept`.

use axum::{Json, extract::State, http::StatusCode};
use lmo_shared::{
    audit::Source,
    auth::password::Password,
    http::{Body, Errors, Handled, name},
    people::{Acceptance, Accounts, Person},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{totp::proof, views::SignedIn};

/// An invitation that is accepted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// The token in the link of the invitation's mail.
    pub token: String,
    /// The password of the account with the invited address, or the one that it shall have if there is none yet. Whoever
    /// sends an access token needs none.
    pub password: Option<Password>,
    /// What the person is called, at most 100 characters, if it has no account yet.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub name: String,
    /// A code of the account's second factor, six digits.
    pub code: Option<String>,
    /// A recovery code instead.
    pub recovery_code: Option<String>,
}

/// Accepts an invitation: the person becomes a member of the tenant and is signed in there. One that has no account with
/// the invited address yet gets one. With an access token, which is optional, it must be of an account with that address.
#[utoipa::path(
    post,
    path = "/api/auth/invites/accept",
    operation_id = "acceptInvite",
    tag = "auth",
    security((), ("bearer" = [])),
    request_body = AcceptRequest,
    responses((status = 201, description = "A member, and signed in", body = SignedIn), Errors)
)]
pub(super) async fn accept(
    State(accounts): State<Accounts>,
    person: Option<Person>,
    source: Source,
    Body(request): Body<AcceptRequest>,
) -> Handled<(StatusCode, Json<SignedIn>)> {
    let AcceptRequest { token, password, name: called, code, recovery_code } = request;
    let proof = proof(code.as_deref(), recovery_code.as_deref())?;
    let acceptance = Acceptance { token, password, name: name("name", 0, &called)?, proof };
    let entered = accounts.accept(acceptance, person.as_ref(), &source).await?;
    Ok((StatusCode::CREATED, Json(entered.into())))
}
