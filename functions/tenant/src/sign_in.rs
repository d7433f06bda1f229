//! `/api/tenant/sign-in`: the tenant's own identity provider.

use axum::{extract::State, http::StatusCode};
use lmo_shared::{
    audit::IfMatch,
    auth::{Caller, Role},
    clock::Clock,
    error::Error,
    http::{Body, Errors, Handled, Versioned},
    id::TenantId,
    oidc::Providers,
    people::secret_context,
    seal::Seal,
    tenant::{IdentityProvider, Tenants},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An identity provider that speaks OpenID Connect.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// Its identifier, exactly as it writes it: `https://accounts.google.com`,
    /// `https://login.microsoftonline.com/<directory>/v2.0`, or any other that has a discovery document.
    #[schema(max_length = 255)]
    pub issuer: String,
    /// What it calls this service.
    #[schema(max_length = 255)]
    pub client_id: String,
    /// What this service proves that with. If absent, that of before stays; if there was none, the client is public.
    #[schema(max_length = 1024)]
    pub client_secret: Option<String>,
    /// The domains whose addresses may sign in; all if empty.
    #[serde(default)]
    pub allowed_domains: Vec<String>,
    /// What somebody becomes who is no member yet; if absent only members may sign in.
    pub default_role: Option<Role>,
    /// Whether members have to sign in by it. Owners may go on using their password.
    #[serde(default)]
    pub required: bool,
}

/// The tenant's identity provider.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInView {
    /// Its identifier.
    pub issuer: String,
    /// What it calls this service.
    pub client_id: String,
    /// Whether there is a secret, which is never shown.
    pub has_client_secret: bool,
    /// The domains whose addresses may sign in; all if empty.
    pub allowed_domains: Vec<String>,
    /// What somebody becomes who is no member yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_role: Option<Role>,
    /// Whether members have to sign in by it.
    pub required: bool,
    /// What to register at the provider.
    pub redirect_uri: String,
    /// Where members go to sign in.
    pub sign_in_uri: String,
}

/// What addresses begin with.
#[derive(Clone)]
pub(super) struct Deployment(pub String);

fn view(deployment: &Deployment, tenant: TenantId, found: IdentityProvider) -> Versioned<SignInView> {
    let Deployment(issuer) = deployment;
    let view = SignInView {
        issuer: found.issuer,
        client_id: found.client_id,
        has_client_secret: found.client_secret.is_some(),
        allowed_domains: found.allowed_domains,
        default_role: found.default_role,
        required: found.required,
        redirect_uri: format!("{issuer}/api/auth/oidc/callback"),
        sign_in_uri: format!("{issuer}/api/auth/oidc/{tenant}"),
    };
    Versioned(found.version, view)
}

/// The tenant's identity provider.
#[utoipa::path(
    get,
    path = "/api/tenant/sign-in",
    operation_id = "getSignIn",
    tag = "tenant",
    responses((status = 200, description = "The provider, with its `ETag`", body = SignInView), Errors)
)]
pub(super) async fn get(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(deployment): State<Deployment>,
) -> Handled<Versioned<SignInView>> {
    let id = caller.tenant().id;
    let found = tenants.identity_provider(id).await?;
    let found = found.ok_or_else(|| Error::NotFound { kind: "identity_provider", id: id.to_string() })?;
    Ok(view(&deployment, id, found))
}

/// Sets or replaces the tenant's identity provider, which is asked for its description before.
#[utoipa::path(
    put,
    path = "/api/tenant/sign-in",
    operation_id = "putSignIn",
    tag = "tenant",
    request_body = SignInRequest,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is replaced")),
    responses((status = 200, description = "The provider as it is now", body = SignInView), Errors)
)]
#[expect(clippy::too_many_arguments, reason = "extractors")]
pub(super) async fn put(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(deployment): State<Deployment>,
    State(providers): State<Providers>,
    State(seal): State<Seal>,
    State(clock): State<Clock>,
    version: IfMatch,
    Body(request): Body<SignInRequest>,
) -> Handled<Versioned<SignInView>> {
    let SignInRequest { issuer, client_id, client_secret, allowed_domains, default_role, required } = request;
    let id = caller.tenant().id;
    let client_secret = match client_secret {
        None => None,
        Some(secret) if (1..=1024).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Some(seal.seal(&secret_context(id), secret.as_bytes()).await?)
        }
        Some(_) => {
            let detail = "client_secret must be 1 to 1,024 printable ASCII characters";
            return Err(Error::invalid("client_secret", detail).into());
        }
    };
    let new = IdentityProvider {
        issuer,
        client_id,
        client_secret,
        allowed_domains,
        default_role,
        required,
        ..IdentityProvider::default()
    };
    new.check()?;
    providers.get(&new.issuer).await?;
    let put = tenants.put_identity_provider(id, version, &new, &caller.actor(), clock.now()).await?;
    Ok(view(&deployment, id, put))
}

/// Takes the tenant's identity provider away. Whoever signed in by it has to sign in anew when the access token ends.
#[utoipa::path(
    delete,
    path = "/api/tenant/sign-in",
    operation_id = "deleteSignIn",
    tag = "tenant",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant")),
    responses((status = 204, description = "It is gone"), Errors)
)]
pub(super) async fn delete(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(clock): State<Clock>,
    version: IfMatch,
) -> Handled<StatusCode> {
    tenants.delete_identity_provider(caller.tenant().id, version, &caller.actor(), clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
