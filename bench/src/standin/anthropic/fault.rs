//! Errors as Anthropic sends them: `{"type":"error","error":{"type","message"},"request_id"}`. `529` is its own status.

use serde_json::{Value, json};

use crate::standin::body::{Flaw, Kind};
use crate::standin::vendor::Refusal;

pub(in crate::standin) const ORGANIZATION: &str = "00000000-0000-4000-8000-000000000000";

pub(in crate::standin) fn request_id(number: u64) -> String {
    format!("req_{number:024}")
}

/// The error of a status; `kind` is its type.
pub(in crate::standin) fn refusal(status: u16, kind: Option<&str>, number: u64) -> Refusal {
    let (usual_kind, message) = usual(status);
    Refusal::json(status, &error(kind.unwrap_or(usual_kind), message, number))
}

/// The error for a request without a key.
pub(in crate::standin) fn no_key(number: u64) -> Refusal {
    Refusal::json(401, &error("authentication_error", "x-api-key header is required", number))
}

/// The error for a flaw of a request.
pub(in crate::standin) fn bad_request(flaw: &Flaw, number: u64) -> Refusal {
    let message = match flaw {
        Flaw::NotJson(problem) => format!("The request body is not valid JSON: {problem}"),
        Flaw::Missing(path) => format!("{path}: Field required"),
        Flaw::Type { path, expected } => format!("{path}: Input should be a valid {}", kind(*expected)),
        Flaw::Empty(path) => format!("{path}: at least one message is required"),
        Flaw::Unknown(path) => format!("{path}: Extra inputs are not permitted"),
        Flaw::Other { message, .. } => message.clone(),
    };
    Refusal::json(400, &error("invalid_request_error", &message, number))
}

fn error(kind: &str, message: &str, number: u64) -> Value {
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": request_id(number) })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "dictionary",
        Kind::List => "list",
        Kind::Text => "string",
        Kind::Count => "integer",
        Kind::Flag => "boolean",
    }
}

fn usual(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("authentication_error", "invalid x-api-key"),
        402 => ("billing_error", "Your credit balance is too low to access the Anthropic API."),
        403 => ("permission_error", "Your API key does not have permission to use the specified resource."),
        404 => ("not_found_error", "model: not found"),
        413 => ("request_too_large", "Request exceeds the maximum allowed number of bytes."),
        429 => ("rate_limit_error", "This request would exceed your organization's rate limit."),
        504 => ("timeout_error", "The request timed out while processing."),
        529 => ("overloaded_error", "Overloaded"),
        500.. => ("api_error", "Internal server error"),
        _ => ("invalid_request_error", "The request is not valid."),
    }
}
