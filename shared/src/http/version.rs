//! `ETag` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1.1): the versions of what can be changed.

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::Failure;
use crate::{audit::IfMatch, error::Error};

/// A resource with the number of its version, which becomes its `ETag`.
pub struct Versioned<T>(pub u64, pub T);

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.1).into_response();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", self.0)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(field) = parts.headers.get(header::IF_MATCH) else { return Ok(Self::Any) };
        let field = field.to_str().unwrap_or_default().trim();
        if field == "*" {
            return Ok(Self::Any);
        }
        let tag = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let bad = || Error::invalid("If-Match", "If-Match must be one ETag as it was given, as in \"3\", or *");
        // Nothing that we have not given is the version of anything.
        match tag.ok_or_else(bad)?.parse() {
            Ok(version) => Ok(Self::Version(version)),
            Err(_) => Err(Error::PreconditionFailed.into()),
        }
    }
}
