//! What tokens say.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    auth::{Principal, Role},
    id::{SignInId, TenantId},
    tenant::KeyScope,
};

/// What an access token says: RFC 9068 section 2.2, and what is LMO's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who issued it: the deployment.
    pub iss: String,
    /// Whom it is for: the deployment.
    pub aud: String,
    /// Whom it was issued to.
    #[serde(with = "subject")]
    pub sub: Principal,
    /// The tenant that it is for; an operator's is for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// What a person was when it was issued. In a tenant the member's item decides, not this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<TokenRole>,
    /// What the key that it was issued to may be used for with it.
    #[serde(default, rename = "scope", with = "scope", skip_serializing_if = "BTreeSet::is_empty")]
    pub scopes: BTreeSet<KeyScope>,
    /// The OAuth client: the key, or LMO itself where people sign in.
    pub client_id: String,
    /// The sign-in that it is of, if it is a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SignInId>,
    /// What its person has to do before it opens more than the own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restriction: Option<Restriction>,
    /// Its own id.
    pub jti: String,
    /// When it was issued, in seconds since the epoch.
    pub iat: u64,
    /// From when it is refused, in seconds since the epoch.
    pub exp: u64,
}

/// What a person is by a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRole {
    /// An owner of the tenant.
    Owner,
    /// An admin of the tenant.
    Admin,
    /// A developer of the tenant.
    Developer,
    /// Whoever pays for the tenant.
    Billing,
    /// Whoever looks on in the tenant.
    Viewer,
    /// Somebody who works for the operator.
    Operator,
}

impl From<Role> for TokenRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Admin => Self::Admin,
            Role::Developer => Self::Developer,
            Role::Billing => Self::Billing,
            Role::Viewer => Self::Viewer,
        }
    }
}

/// Why a token opens nothing but its person's own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// Nobody has shown that mail to the address reaches its person.
    EmailUnverified,
    /// The tenant wants a second factor, and there was none.
    SecondFactorMissing,
}

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To show that mail to an address reaches its person.
    VerifyEmail,
    /// To choose a new password.
    ResetPassword,
    /// To become a member of a tenant.
    Invite,
}

/// What a link says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LinkClaims {
    pub iss: String,
    pub aud: String,
    pub sub: String,
    pub purpose: Purpose,
    /// The state of the subject that it was made in: whoever opens it compares, so that it is good once.
    pub state: u64,
    pub jti: String,
    pub iat: u64,
    pub exp: u64,
}

/// A principal as the text of its id.
mod subject {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Principal;
    use crate::id::{KeyId, UserId};

    pub fn serialize<S: Serializer>(who: &Principal, to: S) -> Result<S::Ok, S::Error> {
        match who {
            Principal::Key(id) => to.collect_str(id),
            Principal::Member(id) => to.collect_str(id),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Principal, D::Error> {
        let text = String::deserialize(from)?;
        let key = KeyId::parse(&text).map(Principal::Key);
        key.or_else(|| UserId::parse(&text).map(Principal::Member)).ok_or_else(|| D::Error::custom("nobody's id"))
    }
}

/// Scopes as one text, RFC 6749 section 3.3.
mod scope {
    use std::collections::BTreeSet;

    use serde::{
        Deserialize, Deserializer, Serializer,
        de::{IntoDeserializer, value},
    };

    use super::KeyScope;

    pub fn serialize<S: Serializer>(scopes: &BTreeSet<KeyScope>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::scope_text(scopes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<KeyScope>, D::Error> {
        let text = String::deserialize(from)?;
        // What a later version knows more is nothing here.
        let known = |word: &str| KeyScope::deserialize(IntoDeserializer::<value::Error>::into_deserializer(word)).ok();
        Ok(text.split(' ').filter_map(known).collect())
    }
}

/// Scopes as one text, RFC 6749 section 3.3.
#[must_use]
pub fn scope_text(scopes: &BTreeSet<KeyScope>) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}
