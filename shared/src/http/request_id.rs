//! `X-Request-Id`: the caller's own, if it brings one that can be logged, else a new one.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    response::Response,
};

use crate::{clock::Clock, id::RequestId};

const NAME: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST: usize = 128;

/// What a request is called in logs and error bodies. It never decides anything; the ledger has its own id.
#[derive(Debug, Clone)]
pub struct RequestLabel(HeaderValue);

impl RequestLabel {
    pub(super) fn of(request: &Request, clock: &Clock) -> Self {
        let given = request.headers().get(&NAME).filter(|value| is_good(value.as_bytes()));
        let new = || HeaderValue::from_str(&RequestId::new(clock.now()).to_string());
        given.cloned().or_else(|| new().ok()).map_or_else(Self::unknown, Self)
    }

    /// What a request is called that nobody has named.
    #[must_use]
    pub fn unknown() -> Self {
        Self(HeaderValue::from_static("unknown"))
    }

    /// As the value of a header field.
    #[must_use]
    pub fn value(&self) -> HeaderValue {
        self.0.clone()
    }

    pub(super) fn put_on(&self, response: &mut Response) {
        response.headers_mut().insert(NAME, self.0.clone());
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("unknown")
    }
}

fn is_good(value: &[u8]) -> bool {
    (1..=LONGEST).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic)
}
