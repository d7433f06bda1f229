//! Responses that are ready when they start, and the header fields of all.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};

use super::fault::Refusal;
use super::script::Script;
use super::steps::Step;
use super::watch::{Outcome, Watch};

pub(super) fn refuse(refusal: Refusal, watch: Option<Watch>) -> Response<Script> {
    let retry_after = refusal.retry_after.and_then(|seconds| HeaderValue::from_str(&seconds).ok());
    let mut response = whole(refusal.status, refusal.body, watch, Outcome::Failed);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

pub(super) fn whole(status: StatusCode, body: Bytes, watch: Option<Watch>, outcome: Outcome) -> Response<Script> {
    let mut headers = headers(watch.as_ref().map_or(0, |watch| watch.number));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let mut response = Response::new(Script::new(vec![Step::Send(body)], watch, outcome));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

pub(super) fn headers(number: u64) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("openai-version", HeaderValue::from_static("2020-10-01"));
    if let Ok(id) = HeaderValue::from_str(&format!("req_{number:032}")) {
        headers.insert("x-request-id", id);
    }
    headers
}
