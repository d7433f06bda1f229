//! Errors as `OpenAI` sends them: `{"error":{"message","type","param","code"}}`.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

/// An answer that is an error.
pub(super) struct Refusal {
    pub status: StatusCode,
    pub body: Bytes,
    pub retry_after: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: u16, retry_after: Option<String>, code: Option<&str>) -> Self {
        let (message, kind, usual_code) = usual(status);
        let body = error(message, kind, code.or(usual_code)).to_string().into();
        Self { status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body, retry_after }
    }

    pub(super) fn bad_request(message: &str) -> Self {
        let body = error(message, "invalid_request_error", None).to_string().into();
        Self { status: StatusCode::BAD_REQUEST, body, retry_after: None }
    }

    pub(super) fn no_such_route(method: &str, path: &str) -> Self {
        let message = format!("Invalid URL ({method} {path})");
        let body = error(&message, "invalid_request_error", None).to_string().into();
        Self { status: StatusCode::NOT_FOUND, body, retry_after: None }
    }
}

/// The error object, also as the event of a stream that fails half way.
pub(super) fn error(message: &str, kind: &str, code: Option<&str>) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
}

fn usual(status: u16) -> (&'static str, &'static str, Option<&'static str>) {
    match status {
        401 => ("Incorrect API key provided.", "invalid_request_error", Some("invalid_api_key")),
        403 => (
            "You are not allowed to use this model.",
            "invalid_request_error",
            Some("unsupported_country_region_territory"),
        ),
        404 => (
            "The model does not exist or you do not have access to it.",
            "invalid_request_error",
            Some("model_not_found"),
        ),
        429 => ("Rate limit reached for requests. Please try again later.", "requests", Some("rate_limit_exceeded")),
        503 => ("The engine is currently overloaded, please try again later.", "service_unavailable_error", None),
        500.. => ("The server had an error while processing your request. Sorry about that!", "server_error", None),
        _ => ("The request is not valid.", "invalid_request_error", None),
    }
}
