//! The caller as an extractor: a handler that takes a `Caller` has one that is authenticated.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};

use super::Failure;
use crate::{
    auth::{Authenticator, Caller},
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
        const NONE: Error =
            Error::Unauthenticated("an API key is needed, as `Authorization: Bearer lmo_...` or `x-api-key: lmo_...`");
        let key = api_key(&parts.headers).ok_or(NONE)?;
        let caller = Authenticator::from_ref(state).caller(key).await?;
        if let Some(exchange) = Exchange::current() {
            exchange.sent_by(&caller);
        }
        match parts.headers.get(header::ORIGIN) {
            Some(origin) if !origin.to_str().is_ok_and(|origin| caller.config().allows_origin(origin)) => {
                Err(Failure(Error::OriginNotAllowed(String::from_utf8_lossy(origin.as_bytes()).into_owned())))
            }
            _ => Ok(caller),
        }
    }
}

/// RFC 6750 section 2.1, or Anthropic's header. The scheme's name is not case-sensitive.
fn api_key(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| key.trim());
    }
    headers.get("x-api-key")?.to_str().ok().map(str::trim)
}
