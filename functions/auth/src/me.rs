//! `/api/auth/me`: what somebody sees and changes of itself; and whether its address is its own.

use axum::{Json, extract::State, http::StatusCode};
use lmo_shared::{
    audit::Source,
    auth::Restriction,
    http::{Body, Errors, Handled, name},
    id::TenantId,
    people::{Accounts, Person, Profile},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::views::{MembershipView, UserView};

/// Who is signed in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The person.
    pub user: UserView,
    /// The tenant that the sign-in is for; absent for an operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// What there is still to do; then a refreshed access token opens more than the account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restriction: Option<Restriction>,
    /// The tenants that it is a member of, the first that it was added to first.
    pub tenants: Vec<MembershipView>,
}

impl From<Profile> for Me {
    fn from(Profile { user, tenant, restriction, tenants }: Profile) -> Self {
        let tenants = tenants.into_iter().map(MembershipView::from).collect();
        Self { user: UserView::from(&user), tenant, restriction, tenants }
    }
}

/// What somebody changes of itself; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MePatch {
    /// What people call it, at most 100 characters.
    #[schema(max_length = 100)]
    pub name: Option<String>,
}

/// A link that somebody opened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkRequest {
    /// What is behind `token=` in the link.
    pub token: String,
}

/// Who is signed in.
#[utoipa::path(
    get,
    path = "/api/auth/me",
    operation_id = "getMe",
    tag = "auth",
    responses((status = 200, description = "The person", body = Me), Errors)
)]
pub(super) async fn get(State(accounts): State<Accounts>, person: Person) -> Handled<Json<Me>> {
    Ok(Json(accounts.profile(&person).await?.into()))
}

/// Changes what people call whoever is signed in.
#[utoipa::path(
    patch,
    path = "/api/auth/me",
    operation_id = "patchMe",
    tag = "auth",
    request_body = MePatch,
    responses((status = 200, description = "The person as it is now", body = Me), Errors)
)]
pub(super) async fn patch(
    State(accounts): State<Accounts>,
    person: Person,
    Body(request): Body<MePatch>,
) -> Handled<Json<Me>> {
    if let Some(text) = request.name {
        accounts.rename(&person, &name("name", 0, &text)?).await?;
    }
    Ok(Json(accounts.profile(&person).await?.into()))
}

/// Verifies the address that a link was sent to. A refreshed access token is restricted no more.
#[utoipa::path(
    post,
    path = "/api/auth/verify",
    operation_id = "verifyEmail",
    tag = "auth",
    security(()),
    request_body = LinkRequest,
    responses((status = 204, description = "The address is verified"), Errors)
)]
pub(super) async fn verify(
    State(accounts): State<Accounts>,
    source: Source,
    Body(request): Body<LinkRequest>,
) -> Handled<StatusCode> {
    accounts.verify(&request.token, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends the link to verify the address once more.
#[utoipa::path(
    post,
    path = "/api/auth/verify/resend",
    operation_id = "resendVerification",
    tag = "auth",
    responses((status = 202, description = "A mail is on its way"), Errors)
)]
pub(super) async fn resend(State(accounts): State<Accounts>, person: Person) -> Handled<StatusCode> {
    accounts.verify_again(&person).await?;
    Ok(StatusCode::ACCEPTED)
}
