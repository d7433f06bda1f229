//! The operator as an extractor: a handler of `/api/admin` that takes an `Operator` has one.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{header, request::Parts},
};

use super::{Failure, api_key};
use crate::{
    audit::Source,
    auth::{Operator, Operators},
    error::Error,
};

impl<S> FromRequestParts<S> for Operator
where
    S: Send + Sync,
    Operators: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        const NONE: Error = Error::Unauthenticated("an access token is needed, as `Authorization: Bearer ...`");
        let text = api_key(&parts.headers).ok_or(NONE)?;
        let origin = parts.headers.get(header::ORIGIN).map(|origin| String::from_utf8_lossy(origin.as_bytes()));
        let source = parts.extensions.get::<Source>().cloned().unwrap_or_default();
        Ok(Operators::from_ref(state).operator(text, origin.as_deref(), source).await?)
    }
}
