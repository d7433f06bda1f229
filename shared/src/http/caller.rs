//! The caller as an extractor: a handler that takes a `Caller` has one that is authenticated, and may use the route by
//! the table of permissions.

use axum::{
    extract::{FromRef, FromRequestParts, MatchedPath},
    http::{HeaderMap, header, request::Parts},
};

use super::Failure;
use crate::{
    audit::Source,
    auth::{Authenticator, Caller, Permission},
    error::Error,
    telemetry::Exchange,
};

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let source = parts.extensions.get::<Source>().cloned().unwrap_or_default();
        let caller = admit(&Authenticator::from_ref(state), &parts.headers, source, api_key(&parts.headers)).await?;
        let route = parts.extensions.get().map_or("", MatchedPath::as_str);
        let permission = Permission::of_route(parts.method.as_str(), route);
        caller.require(permission.ok_or_else(|| Error::internal("no permission opens this route"))?)?;
        Ok(caller)
    }
}

/// The caller that presents a key from there, from a page that may call if it is a page's request.
///
/// # Errors
/// `Unauthenticated`, `TenantSuspended`, `AddressNotAllowed`, `OriginNotAllowed`; `Unavailable` if the table can't be
/// reached.
pub async fn admit(
    authenticator: &Authenticator,
    headers: &HeaderMap,
    source: Source,
    key: Option<&str>,
) -> Result<Caller, Error> {
    const NONE: Error =
        Error::Unauthenticated("an API key is needed, as `Authorization: Bearer lmo_...` or `x-api-key: lmo_...`");
    let caller = authenticator.caller(key.ok_or(NONE)?, source).await?;
    if let Some(exchange) = Exchange::current() {
        exchange.sent_by(&caller);
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        caller.check_origin(&String::from_utf8_lossy(origin.as_bytes()))?;
    }
    Ok(caller)
}

/// The key in the header fields: RFC 6750 section 2.1, or Anthropic's. The scheme's name is not case-sensitive.
#[must_use]
pub fn api_key(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| key.trim());
    }
    headers.get("x-api-key")?.to_str().ok().map(str::trim)
}
