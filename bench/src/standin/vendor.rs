//! Whose servers the stand-in plays: the vendors differ in the key they want, the header fields they send and the errors
//! they write, whatever is asked of them.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::body::Flaw;
use super::directives::Failure;
use super::{anthropic, bedrock, gemini, openai};

/// A provider's servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vendor {
    OpenAi,
    Anthropic,
    Google,
    Aws,
}

/// An answer that is an error.
pub(super) struct Refusal {
    pub status: StatusCode,
    /// Beside those that all answers have.
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Vendor {
    /// Where it wants the key.
    pub(super) fn key_header(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Aws => "authorization",
            Self::Anthropic => "x-api-key",
            Self::Google => "x-goog-api-key",
        }
    }

    /// The header fields of every answer that is JSON.
    pub(super) fn headers(self, number: u64) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self {
            Self::OpenAi => {
                headers.insert("openai-version", HeaderValue::from_static("2020-10-01"));
                put(&mut headers, "x-request-id", &format!("req_{number:032}"));
            }
            Self::Anthropic => {
                headers.insert("anthropic-organization-id", HeaderValue::from_static(anthropic::ORGANIZATION));
                put(&mut headers, "request-id", &anthropic::request_id(number));
            }
            Self::Google => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
                headers.insert("server", HeaderValue::from_static("scaffolding on HTTPServer2"));
            }
            Self::Aws => put(&mut headers, "x-amzn-requestid", &uuid(number)),
        }
        headers
    }

    /// The error that was asked for.
    pub(super) fn refusal(self, failure: &Failure, number: u64) -> Refusal {
        let Failure { status, retry_after, code, .. } = failure;
        let code = code.as_deref();
        let mut refusal = match self {
            Self::OpenAi => openai::refusal(*status, code),
            Self::Anthropic => anthropic::refusal(*status, code, number),
            // It has no Retry-After; the body says it.
            Self::Google => return gemini::refusal(*status, code, retry_after.as_deref()),
            Self::Aws => bedrock::refusal(*status, code),
        };
        if let Some(seconds) = retry_after {
            put(&mut refusal.headers, RETRY_AFTER.as_str(), seconds);
        }
        refusal
    }

    /// The error for a request that is not as the format wants it.
    pub(super) fn bad_request(self, flaw: &Flaw, number: u64) -> Refusal {
        match self {
            Self::OpenAi => openai::bad_request(flaw),
            Self::Anthropic => anthropic::bad_request(flaw, number),
            Self::Google => gemini::bad_request(flaw),
            Self::Aws => bedrock::bad_request(flaw),
        }
    }

    /// The error for a request without a key.
    pub(super) fn no_key(self, number: u64) -> Refusal {
        match self {
            Self::OpenAi => openai::refusal(401, None),
            Self::Anthropic => anthropic::no_key(number),
            Self::Google => gemini::no_key(),
            Self::Aws => bedrock::no_key(),
        }
    }
}

impl Refusal {
    pub(super) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, headers: HeaderMap::new(), body: body.into() }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, body.to_string())
    }
}

/// Sets a header field. A value that cannot be one is left out: a directive may hold anything.
pub(super) fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// An id that is the same in every run.
pub(super) fn uuid(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}
