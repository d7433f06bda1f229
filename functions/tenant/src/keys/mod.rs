//! `/api/tenant/keys`.

use std::collections::BTreeSet;

use lmo_shared::{
    clock::Timestamp,
    error::Error,
    id::KeyId,
    quota::Limits,
    tenant::{AddressRange, ApiKey, KeyScope},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) mod change;
pub(super) mod create;
pub(super) mod read;
pub(super) mod revoke;
pub(super) mod rotate;
mod rules;

/// An API key as it is shown: never with its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// Its identifier.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// What it may be used for.
    pub scopes: BTreeSet<KeyScope>,
    /// Limits of its own, beside the tenant's.
    pub limits: Limits,
    /// The only models that it may ask, by name or alias; absent: all that the tenant may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_models: Option<Vec<String>>,
    /// The only tools that its requests may bring, or beginnings of their names with a `*` behind them; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_tools: Option<Vec<String>>,
    /// The only addresses that it may be used from; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_addresses: Option<Vec<AddressRange>>,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When it was last used, RFC 3339, to the hour; absent if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// From when it is refused, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Until when the secret before is good as well, RFC 3339; absent once it isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_until: Option<String>,
    /// Since when it is revoked, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

/// What a key is to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// What people call it, 1 to 100 characters.
    pub name: String,
    /// What it may be used for; `query`, `embed` and `usage:read` if absent.
    pub scopes: Option<BTreeSet<KeyScope>>,
    /// Limits of its own, beside the tenant's.
    #[serde(default)]
    pub limits: Limits,
    /// The only models that it may ask, by name or alias, at most 1,000; absent: all that the tenant may.
    pub allowed_models: Option<Vec<String>>,
    /// The only tools that its requests may bring, or beginnings of their names with a `*` behind them, at most 1,000;
    /// absent: all.
    pub allowed_tools: Option<Vec<String>>,
    /// The only addresses that it may be used from: IP addresses and CIDR blocks, 1 to 100; absent: all.
    pub allowed_addresses: Option<Vec<AddressRange>>,
    /// From when it is refused, RFC 3339; never if absent.
    pub expires_at: Option<String>,
}

/// A key with its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyCreated {
    /// The whole key. It is shown this once.
    pub api_key: String,
    /// What is known of it later.
    #[serde(flatten)]
    pub key: KeyView,
}

impl KeyView {
    /// The key as it is at `now`.
    fn of(key: &ApiKey, now: Timestamp) -> Self {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: key.id,
            name: key.name.clone(),
            scopes: key.scopes.clone(),
            limits: key.limits,
            allowed_models: key.allowed_models.clone(),
            allowed_tools: key.allowed_tools.clone(),
            allowed_addresses: key.allowed_addresses.clone(),
            created_at: key.created_at.to_string(),
            last_used_at: text(key.last_used_at),
            expires_at: text(key.expires_at),
            previous_until: text(key.previous_at(now).map(|previous| previous.until)),
            revoked_at: text(key.revoked_at),
        }
    }
}

impl From<&ApiKey> for KeyRequest {
    fn from(key: &ApiKey) -> Self {
        Self {
            name: key.name.clone(),
            scopes: Some(key.scopes.clone()),
            limits: key.limits,
            allowed_models: key.allowed_models.clone(),
            allowed_tools: key.allowed_tools.clone(),
            allowed_addresses: key.allowed_addresses.clone(),
            expires_at: key.expires_at.map(|at| at.to_string()),
        }
    }
}

/// The key that a path names. What can be no key's id is the id of none.
fn named(id: String) -> Result<KeyId, Error> {
    KeyId::parse(&id).ok_or(Error::NotFound { kind: "key", id })
}
