//! `/api/tenant/keys`.

use std::collections::BTreeSet;

use axum::{Json, extract::State, http::StatusCode, response::Response};
use lmo_shared::{
    auth::{Authenticator, Caller, NewKey, Permission},
    clock::{Clock, Timestamp},
    error::Error,
    http::{Create, Created, Errors, Handled, Segment},
    id::KeyId,
    quota::Limits,
    store::Change,
    tenant::{ApiKey, KeyScope, Tenants},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_models: Option<Vec<String>>,
    /// The only tools that its requests may bring, or beginnings of their names with a `*` behind them; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_tools: Option<Vec<String>>,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// From when it is refused, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Since when it is revoked, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

/// All keys of a tenant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyList {
    /// The keys, oldest first, revoked ones too.
    pub keys: Vec<KeyView>,
}

/// A key to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// What people call it, 1 to 100 characters.
    pub name: String,
    /// What it may be used for; `query`, `embed` and `usage:read` if absent.
    pub scopes: Option<BTreeSet<KeyScope>>,
    /// Limits of its own, beside the tenant's.
    #[serde(default)]
    pub limits: Limits,
    /// The only models that it may ask, by name or alias; absent: all that the tenant may.
    pub allowed_models: Option<Vec<String>>,
    /// The only tools that its requests may bring, or beginnings of their names with a `*` behind them; absent: all.
    pub allowed_tools: Option<Vec<String>>,
    /// From when it is refused, RFC 3339; never if absent.
    pub expires_at: Option<String>,
}

/// A key that was just made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyCreated {
    /// The whole key. It is shown this once.
    pub api_key: String,
    /// What is known of it later.
    #[serde(flatten)]
    pub key: KeyView,
}

impl From<&ApiKey> for KeyView {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name.clone(),
            scopes: key.scopes.clone(),
            limits: key.limits,
            allowed_models: key.allowed_models.clone(),
            allowed_tools: key.allowed_tools.clone(),
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            revoked_at: key.revoked_at.map(|at| at.to_string()),
        }
    }
}

/// The tenant's API keys.
#[utoipa::path(
    get,
    path = "/api/tenant/keys",
    operation_id = "listKeys",
    tag = "tenant",
    responses((status = 200, description = "The keys", body = KeyList), Errors)
)]
pub(super) async fn list(caller: Caller, State(tenants): State<Tenants>) -> Handled<Json<KeyList>> {
    let keys = tenants.keys(caller.tenant().id).await?;
    Ok(Json(KeyList { keys: keys.iter().map(KeyView::from).collect() }))
}

/// Makes an API key. The whole key is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/tenant/keys",
    operation_id = "createKey",
    tag = "tenant",
    request_body = KeyRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes one key, however often it is sent")),
    responses((status = 201, description = "The key", body = KeyCreated), Errors)
)]
pub(super) async fn create(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(clock): State<Clock>,
    Create { body: request, once }: Create<KeyRequest>,
) -> Handled<Response> {
    let now = clock.now();
    let expires_at = check(&request, now)?;
    may_give(&caller, request.scopes.iter().flatten().copied())?;
    let tenant = caller.tenant().id;
    let new = NewKey::make(tenant, now);
    let usual = [KeyScope::Query, KeyScope::Embed, KeyScope::UsageRead];
    let scopes = request.scopes.unwrap_or_else(|| BTreeSet::from(usual));
    let key = ApiKey {
        limits: request.limits,
        allowed_models: request.allowed_models,
        allowed_tools: request.allowed_tools,
        expires_at,
        ..ApiKey::of(&new, request.name.trim(), scopes, now)
    };
    let work = async |change: &mut Change| {
        tenants.add_key(change, tenant, &key, &caller.actor())?;
        let body = KeyCreated { api_key: new.text.clone(), key: KeyView::from(&key) };
        let refused = Error::Conflict("a key of that id exists".to_owned());
        Ok(Created { status: StatusCode::CREATED, body, refused })
    };
    once.run(&tenants.of(tenant).main(), &caller.metered_as().to_string(), now, work).await
}

/// No member gives a key that may do what the member may not. A key that may make keys manages the tenant.
fn may_give(caller: &Caller, scopes: impl IntoIterator<Item = KeyScope>) -> Result<(), Error> {
    if caller.member().is_none() {
        return Ok(());
    }
    for scope in scopes {
        let gives = |permission: &&Permission| permission.scopes().contains(&scope);
        if let Some(lacking) = Permission::ALL.iter().filter(gives).find(|permission| !caller.may(**permission)) {
            let (scope, lacking) = (scope.as_str(), lacking.name());
            let detail = format!("a key with the scope `{scope}` may do `{lacking}`, which you may not");
            return Err(Error::Forbidden(detail));
        }
    }
    Ok(())
}

/// When the key expires, if all of the request is in range.
fn check(request: &KeyRequest, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    const LONGEST_NAME: usize = 100;
    if !(1..=LONGEST_NAME).contains(&request.name.trim().chars().count()) {
        return Err(Error::invalid("name", "name must have 1 to 100 characters"));
    }
    if request.scopes.as_ref().is_some_and(BTreeSet::is_empty) {
        return Err(Error::invalid("scopes", "a key needs at least one scope"));
    }
    let Some(text) = &request.expires_at else { return Ok(None) };
    let at = Timestamp::parse(text).filter(|at| *at > now);
    at.map(Some).ok_or_else(|| Error::invalid("expires_at", "expires_at must be a future time in RFC 3339"))
}

/// Revokes an API key. It is refused within 30 s.
#[utoipa::path(
    delete,
    path = "/api/tenant/keys/{id}",
    operation_id = "revokeKey",
    tag = "tenant",
    params(("id" = String, Path, description = "The key's id")),
    responses((status = 204, description = "It is revoked"), Errors)
)]
pub(super) async fn revoke(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    Segment(id): Segment,
) -> Handled<StatusCode> {
    let key = KeyId::parse(&id).ok_or(Error::NotFound { kind: "key", id })?;
    tenants.revoke_key(caller.tenant().id, key, &caller.actor(), clock.now()).await?;
    authenticator.forget(caller.tenant().id);
    Ok(StatusCode::NO_CONTENT)
}
