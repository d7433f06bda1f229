//! What others need to know to verify access tokens: `/.well-known/`.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, header::CACHE_CONTROL},
};
use lmo_shared::{
    auth::{Authenticator, JwkSet},
    http::{Errors, Handled},
    tenant::KeyScope,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A key is published half an hour before it signs, at least.
const KEPT: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "public, max-age=300")];

/// What the deployment is as an authorization server: RFC 8414 section 2, as far as there is anything to say.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Configuration {
    /// Who issues tokens: `iss` and `aud` of every access token.
    issuer: String,
    /// Where keys are exchanged for access tokens.
    token_endpoint: String,
    /// Where the public keys are.
    jwks_uri: String,
    /// What an access token may be for.
    scopes_supported: Vec<&'static str>,
    /// None: nobody is sent here to sign in.
    response_types_supported: Vec<&'static str>,
    /// What there is to be exchanged for a token.
    grant_types_supported: Vec<&'static str>,
    /// How a client shows who it is.
    token_endpoint_auth_methods_supported: Vec<&'static str>,
}

/// The public keys that access tokens are verified with.
///
/// A JSON Web Key Set (RFC 7517): the key that signs now, the one that will, and the one that did.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "keySet",
    tag = "auth",
    security(()),
    responses((status = 200, description = "The keys", body = JwkSet), Errors)
)]
pub async fn keys(
    State(authenticator): State<Authenticator>,
) -> Handled<([(HeaderName, &'static str); 1], Json<JwkSet>)> {
    Ok((KEPT, Json(authenticator.tokens().ring().public().await?)))
}

/// The deployment as an authorization server.
///
/// RFC 8414, at the address that `OpenID` Connect Discovery gives it.
#[utoipa::path(
    get,
    path = "/.well-known/openid-configuration",
    operation_id = "authorizationServer",
    tag = "auth",
    security(()),
    responses((status = 200, description = "What there is", body = Configuration), Errors)
)]
pub async fn configuration(
    State(authenticator): State<Authenticator>,
) -> ([(HeaderName, &'static str); 1], Json<Configuration>) {
    let issuer = authenticator.tokens().ring().issuer();
    let configuration = Configuration {
        issuer: issuer.to_owned(),
        token_endpoint: format!("{issuer}/api/auth/token"),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        scopes_supported: KeyScope::ALL.map(KeyScope::as_str).to_vec(),
        response_types_supported: vec![],
        grant_types_supported: vec!["client_credentials"],
        token_endpoint_auth_methods_supported: vec!["client_secret_basic", "client_secret_post"],
    };
    (KEPT, Json(configuration))
}
