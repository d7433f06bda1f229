//! `POST /api/auth/invites/accept`.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lmo_shared::{
    audit::Source,
    auth::password::Password,
    http::{Body, Errors, Handled, name},
    people::{Acceptance, Accepted, Accounts, Person},
};
use serde::{Deserialize, Serialize};
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

/// Where somebody signs in who has become a member.
#[derive(Serialize, ToSchema)]
pub struct SignInElsewhere {
    /// By the tenant's identity provider, there, in a browser.
    pub sign_in_uri: String,
}

/// Accepts an invitation: the person becomes a member of the tenant and is signed in there, or learns where to sign in if
/// members have to do so by the tenant's identity provider. One that has no account with
/// the invited address yet gets one. With an access token, which is optional, it must be of an account with that address.
#[utoipa::path(
    post,
    path = "/api/auth/invites/accept",
    operation_id = "acceptInvite",
    tag = "auth",
    security((), ("bearer" = [])),
    request_body = AcceptRequest,
    responses(
        (status = 201, description = "A member, and signed in", body = SignedIn),
        (status = 200, description = "A member, who signs in elsewhere", body = SignInElsewhere),
        Errors,
    )
)]
pub(super) async fn accept(
    State(accounts): State<Accounts>,
    person: Option<Person>,
    source: Source,
    Body(request): Body<AcceptRequest>,
) -> Handled<Response> {
    let AcceptRequest { token, password, name: called, code, recovery_code } = request;
    let proof = proof(code.as_deref(), recovery_code.as_deref())?;
    let acceptance = Acceptance { token, password, name: name("name", 0, &called)?, proof };
    Ok(match accounts.accept(acceptance, person.as_ref(), &source).await? {
        Accepted::SignedIn(entered) => (StatusCode::CREATED, Json(SignedIn::from(*entered))).into_response(),
        Accepted::SignInAt(sign_in_uri) => Json(SignInElsewhere { sign_in_uri }).into_response(),
    })
}
