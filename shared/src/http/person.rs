//! A person as an extractor, for the routes of accounts: whoever presents an access token, whatever it is restricted to.
//! Whether its sign-in goes on is looked up by what is done.

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::{header, request::Parts},
};

use super::{Failure, api_key};
use crate::{
    audit::Source,
    auth::{Authenticator, Principal},
    error::Error,
    people::Person,
};

impl<S> FromRequestParts<S> for Person
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        const NONE: Error = Error::Unauthenticated("an access token is needed, as `Authorization: Bearer ...`");
        let text = api_key(&parts.headers).ok_or(NONE)?;
        let claims = Authenticator::from_ref(state).tokens().verify(text).await?;
        let (Principal::Member(user), Some(sign_in)) = (claims.sub, claims.sid) else {
            return Err(Error::Forbidden("this is for people alone; no key may do it".to_owned()).into());
        };
        let source = parts.extensions.get::<Source>().cloned().unwrap_or_default();
        Ok(Self { user, sign_in, source })
    }
}

/// Nobody if the request presents nothing; what it presents must be good.
impl<S> OptionalFromRequestParts<S> for Person
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Failure> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state).await.map(Some)
    }
}
