//! What is shown of people and of what they are signed in to.

use lmo_shared::{
    auth::{ACCESS_TOKEN_LIFE, Restriction, Role},
    id::{TenantId, UserId},
    people::{Entered, TenantOf, User},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// Its identifier.
    pub id: UserId,
    /// Its e-mail address.
    pub email: String,
    /// What people call it; empty if it hasn't said.
    pub name: String,
    /// Whether mail to the address is known to reach it.
    pub email_verified: bool,
    /// Whether it is asked for a second factor.
    pub second_factor: bool,
    /// Whether it works for the operator.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operator: bool,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            email: user.email.to_string(),
            name: user.name.clone(),
            email_verified: user.verified_at.is_some(),
            second_factor: user.required_factor().is_some(),
            operator: user.operator,
        }
    }
}

/// A tenant that a person is a member of.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MembershipView {
    /// The tenant's identifier.
    pub id: TenantId,
    /// What the tenant is called.
    pub name: String,
    /// What the person is in it.
    pub role: Role,
    /// Whether its members have to prove who they are in a second way.
    pub require_second_factor: bool,
}

impl From<TenantOf> for MembershipView {
    fn from(TenantOf { id, name, role, require_second_factor }: TenantOf) -> Self {
        Self { id, name, role, require_second_factor }
    }
}

/// Tokens of a sign-in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// Goes with requests, as `Authorization: Bearer`.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// How long the access token is good, in seconds.
    pub expires_in: u64,
    /// Is exchanged for new tokens, once.
    pub refresh_token: String,
    /// What there is still to do before the access token opens more than the account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restriction: Option<Restriction>,
    /// The tenant that the tokens are for; absent for an operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<MembershipView>,
    /// Who is signed in.
    pub user: UserView,
}

impl From<Entered> for SignedIn {
    fn from(entered: Entered) -> Self {
        let user = UserView::from(&entered.user);
        let tenant = entered.place.map(|(tenant, member)| MembershipView {
            id: tenant.id,
            name: tenant.name,
            role: member.role,
            require_second_factor: tenant.require_second_factor,
        });
        Self {
            access_token: entered.access_token,
            token_type: "Bearer".to_owned(),
            expires_in: ACCESS_TOKEN_LIFE.as_secs(),
            refresh_token: entered.refresh_token,
            restriction: entered.restriction,
            tenant,
            user,
        }
    }
}
