//! `POST /api/auth/token`: OAuth 2.1 client credentials (RFC 6749 section 4.4). An API key is the client: its id is the
//! client's, its text the secret.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use lmo_shared::{
    audit::Source,
    auth::{ACCESS_TOKEN_LIFE, Authenticator, Caller, scope_text},
    error::Error,
    http::{Errors, Failure, Form},
    telemetry::Exchange,
    tenant::KeyScope,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is asked for, and by whom. Empty is as good as absent.
#[derive(Deserialize, ToSchema)]
pub struct TokenRequest {
    /// `client_credentials`.
    #[serde(default)]
    #[schema(required = true)]
    grant_type: String,
    /// The key's id, unless it comes by HTTP's Basic authentication.
    #[serde(default)]
    client_id: String,
    /// The key's text, unless it comes by HTTP's Basic authentication.
    #[serde(default)]
    client_secret: String,
    /// What the token is to be for, names with spaces between them; all that the key may if absent.
    #[serde(default)]
    scope: String,
}

/// A token: RFC 6749 section 5.1.
#[derive(Serialize, ToSchema)]
pub struct TokenResponse {
    /// The access token, a JSON Web Token.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// How many seconds it is good.
    expires_in: u64,
    /// What it is for, names with spaces between them.
    scope: String,
}

/// Why there is none: RFC 6749 section 5.2.
#[derive(Serialize, ToSchema)]
pub struct TokenError {
    /// `invalid_request`, `invalid_client`, `unsupported_grant_type` or `invalid_scope`.
    error: &'static str,
    /// The same for people.
    error_description: &'static str,
}

/// Exchanges an API key for an access token.
///
/// `OAuth` 2.1 client credentials: the client is an API key, `client_id` its id and `client_secret` its text, in the form or by
/// HTTP's Basic authentication. The token may do what the key may, or less, is metered and limited as the key is, and is
/// refused once the key is revoked.
#[utoipa::path(
    post,
    path = "/api/auth/token",
    operation_id = "token",
    tag = "auth",
    security(()),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        Errors,
        (status = 200, description = "The token", body = TokenResponse),
        (status = 400, description = "The request is not one, or wants what there isn't", body = TokenError),
        (status = 401, description = "Nobody's key; with `WWW-Authenticate`", body = TokenError),
    )
)]
pub async fn issue(
    State(authenticator): State<Authenticator>,
    headers: HeaderMap,
    source: Source,
    form: Result<Form<TokenRequest>, Failure>,
) -> Result<Response, Refusal> {
    let Form(form) = form?;
    let credentials = Credentials::of(&headers, &form)?;
    match form.grant_type.as_str() {
        "" => return Err(Refusal::Request("grant_type is missing")),
        "client_credentials" => {}
        _ => return Err(Refusal::GrantType),
    }
    let caller = credentials.caller(&authenticator, source).await?;
    let key = caller.key().ok_or(Refusal::Client("the client is not valid"))?;
    let scopes = narrowed(&key.scopes, &form.scope)?;
    let response = TokenResponse {
        access_token: authenticator.tokens().key(key.id, caller.tenant().id, scopes.clone()).await?,
        token_type: "Bearer",
        expires_in: ACCESS_TOKEN_LIFE.as_secs(),
        scope: scope_text(&scopes),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(response)).into_response())
}

/// What a client shows of itself.
struct Credentials {
    id: String,
    secret: String,
}

impl Credentials {
    /// In one way, not in two (RFC 6749 section 2.3).
    fn of(headers: &HeaderMap, form: &TokenRequest) -> Result<Self, Refusal> {
        const NONE: Refusal = Refusal::Client("client_id and client_secret are needed");
        let Some(authorization) = headers.get(AUTHORIZATION) else {
            if form.client_id.is_empty() || form.client_secret.is_empty() {
                return Err(NONE);
            }
            return Ok(Self { id: form.client_id.clone(), secret: form.client_secret.clone() });
        };
        if !form.client_secret.is_empty() {
            return Err(Refusal::Request("the client shows who it is in two ways"));
        }
        let basic = basic(authorization).ok_or(NONE)?;
        if !form.client_id.is_empty() && form.client_id != basic.id {
            return Err(Refusal::Request("the client says two names"));
        }
        Ok(basic)
    }

    /// The key, if it is one and may call.
    async fn caller(&self, authenticator: &Authenticator, source: Source) -> Result<Caller, Refusal> {
        let caller = authenticator.of_key(&self.secret, source).await?;
        let named = caller.key().is_some_and(|key| key.id.to_string() == self.id);
        if named { Ok(caller) } else { Err(Refusal::Client("the client is not valid")) }
    }
}

/// HTTP's Basic authentication, RFC 7617. Neither a key's id nor its text has a character that a form would encode.
fn basic(authorization: &HeaderValue) -> Option<Credentials> {
    let (scheme, text) = authorization.to_str().ok()?.split_once(' ')?;
    let text = scheme.eq_ignore_ascii_case("basic").then(|| BASE64.decode(text.trim()))?.ok()?;
    let (id, secret) = std::str::from_utf8(&text).ok()?.split_once(':')?;
    Some(Credentials { id: id.to_owned(), secret: secret.to_owned() })
}

/// The part of a key's scopes that is asked for.
fn narrowed(of: &BTreeSet<KeyScope>, asked: &str) -> Result<BTreeSet<KeyScope>, Refusal> {
    if asked.is_empty() {
        return Ok(of.clone());
    }
    let scope = |name: &str| of.iter().copied().find(|scope| scope.as_str() == name).ok_or(Refusal::Scope);
    asked.split(' ').filter(|name| !name.is_empty()).map(scope).collect()
}

/// Why there is no token.
pub enum Refusal {
    /// It isn't a request, for that reason.
    Request(&'static str),
    /// It isn't a client, for that reason.
    Client(&'static str),
    /// It is for a grant that there isn't.
    GrantType,
    /// It asks for more than the key may.
    Scope,
    /// Whatever is said in the same way everywhere.
    Other(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated(why) => Self::Client(why),
            Error::AddressNotAllowed(_) => Self::Client("the client may not be used from this address"),
            Error::TenantSuspended => Self::Client("the client's tenant is suspended"),
            Error::UnsupportedMediaType(_) => Self::Request("the body must be application/x-www-form-urlencoded"),
            Error::Invalid { .. } => Self::Request("the body is no form, or names something twice"),
            error => Self::Other(error),
        }
    }
}

impl From<Failure> for Refusal {
    fn from(Failure(error): Failure) -> Self {
        error.into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error, error_description) = match self {
            Self::Request(why) => (StatusCode::BAD_REQUEST, "invalid_request", why),
            Self::Client(why) => (StatusCode::UNAUTHORIZED, "invalid_client", why),
            Self::GrantType => {
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", "grant_type must be client_credentials")
            }
            Self::Scope => (StatusCode::BAD_REQUEST, "invalid_scope", "the key may not do that"),
            Self::Other(error) => return Failure(error).into_response(),
        };
        if let Some(exchange) = Exchange::current() {
            exchange.failed(&match status {
                StatusCode::UNAUTHORIZED => Error::Unauthenticated(error_description),
                _ => Error::invalid(error, error_description),
            });
        }
        let mut response = (status, Json(TokenError { error, error_description })).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"lmo\""));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_do_less_than_its_key_and_not_more() {
        let of = BTreeSet::from([KeyScope::Query, KeyScope::Embed]);
        let narrowed = |asked| narrowed(&of, asked).map_err(|_| ());
        assert_eq!(narrowed(""), Ok(of.clone()));
        assert_eq!(narrowed("embed"), Ok(BTreeSet::from([KeyScope::Embed])));
        assert_eq!(narrowed("query embed query"), Ok(of.clone()));
        for more in ["tenant:admin", "query tenant:admin", "Query", "query,embed"] {
            assert_eq!(narrowed(more), Err(()), "{more}");
        }
    }

    #[test]
    fn basic_authentication_is_read_strictly() {
        let read = |text: &str| basic(&HeaderValue::from_str(text).unwrap()).map(|found| (found.id, found.secret));
        assert_eq!(read("basic YTpiOmM="), Some(("a".to_owned(), "b:c".to_owned())));
        for bad in ["Basic", "Basic YQ==", "Basic !", "Bearer YTpi", "Basic /w==", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
