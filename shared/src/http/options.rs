//! How a request is routed and cached, in header fields: every client library can set them, whatever format it speaks.

use std::time::Duration;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
};

use super::{Failure, rate_limit_fields};
use crate::{
    answer::{Answer, Options},
    cache::{CacheControl, CacheMode},
    clock::Timestamp,
    error::{Error, Result},
    id::SessionId,
};

const CACHE: &str = "x-lmo-cache";
const MAX_AGE: &str = "x-lmo-max-age";
const FALLBACKS: &str = "x-lmo-fallbacks";
const SESSION: &str = "x-lmo-session";
const HEDGE_AFTER: &str = "x-lmo-hedge-after-ms";

impl<S: Sync> FromRequestParts<S> for Options {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(read(&parts.headers)?)
    }
}

fn read(headers: &HeaderMap) -> Result<Options> {
    let fallbacks = text(headers, FALLBACKS)?
        .map(|names| names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect());
    let mode = match text(headers, CACHE)? {
        None => None,
        Some("default") => Some(CacheMode::Default),
        Some("no-store") => Some(CacheMode::NoStore),
        Some("refresh") => Some(CacheMode::Refresh),
        Some("only-if-cached") => Some(CacheMode::OnlyIfCached),
        Some(other) => {
            let known = "`default`, `no-store`, `refresh` or `only-if-cached`";
            return Err(Error::invalid("X-LMO-Cache", format!("X-LMO-Cache must be {known}, not `{other}`")));
        }
    };
    let max_age = number(headers, MAX_AGE, "X-LMO-Max-Age")?.map(Duration::from_secs);
    let hedge_after = number(headers, HEDGE_AFTER, "X-LMO-Hedge-After-Ms")?.map(Duration::from_millis);
    let wrong = || {
        Error::invalid(
            "X-LMO-Session",
            "X-LMO-Session must have 1 to 128 of the characters A-Z, a-z, 0-9, `.`, `_`, `:` and `-`",
        )
    };
    let session = text(headers, SESSION)?.map(|id| SessionId::parse(id).ok_or_else(wrong)).transpose()?;
    Ok(Options { fallbacks, hedge_after, cache: CacheControl { mode, max_age }, session, template: None })
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>> {
    let value = headers.get(name).map(HeaderValue::to_str).transpose();
    value.map(|text| text.map(str::trim)).map_err(|_| Error::invalid(name, format!("{name} must be plain text")))
}

/// Up to a month in milliseconds, which no deadline comes near.
fn number(headers: &HeaderMap, name: &'static str, shown: &str) -> Result<Option<u64>> {
    const MOST: u64 = 31 * 24 * 3600 * 1000;
    let wrong = || Error::invalid(shown, format!("{shown} must be a whole number from 0 to {MOST}"));
    text(headers, name)?.map(|text| text.parse().ok().filter(|number| *number <= MOST).ok_or_else(wrong)).transpose()
}

/// The header fields of an answer: what remains in the minute, who answered, and what the cache had to do with it.
#[must_use]
pub fn answer_fields(answer: &Answer, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
    let cache = HeaderValue::from_static(answer.cache.as_str());
    let mut fields = rate_limit_fields(&answer.rate, now);
    fields.push((HeaderName::from_static(CACHE), cache));
    fields
        .extend(HeaderValue::from_str(&answer.model).ok().map(|model| (HeaderName::from_static("x-lmo-model"), model)));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        fields.iter().copied().map(field).collect()
    }

    #[test]
    fn everything_can_be_said() {
        let said =
            [(CACHE, "refresh"), (MAX_AGE, "60"), (FALLBACKS, "a, b"), (HEDGE_AFTER, "200"), (SESSION, "chat-1")];
        let expected = Options {
            fallbacks: Some(vec!["a".to_owned(), "b".to_owned()]),
            hedge_after: Some(Duration::from_millis(200)),
            cache: CacheControl { mode: Some(CacheMode::Refresh), max_age: Some(Duration::from_mins(1)) },
            session: Some(SessionId::parse("chat-1").unwrap()),
            template: None,
        };
        assert_eq!(read(&headers(&said)).unwrap(), expected);
        assert_eq!(read(&HeaderMap::new()).unwrap(), Options::default());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (name, value) in [(CACHE, "sometimes"), (MAX_AGE, "-1"), (SESSION, "a b"), (HEDGE_AFTER, "soon")] {
            let error = read(&headers(&[(name, value)])).unwrap_err();
            assert!(matches!(error, Error::Invalid { param, .. } if param.eq_ignore_ascii_case(name)));
        }
    }
}
