//! Errors as `OpenAI` sends them: `{"error":{"message","type","param","code"}}`.

use serde_json::{Value, json};

use super::body::{Flaw, Kind};
use super::vendor::Refusal;

/// The error of a status.
pub(super) fn refusal(status: u16, code: Option<&str>) -> Refusal {
    let (message, kind, usual_code) = usual(status);
    Refusal::json(status, &error(message, kind, None, code.or(usual_code)))
}

/// The error for a flaw of a request.
pub(super) fn bad_request(flaw: &Flaw) -> Refusal {
    let (message, param, code) = match flaw {
        Flaw::NotJson(problem) => (format!("We could not parse the JSON body of your request: {problem}"), None, None),
        Flaw::Missing(path) => {
            let path = brackets(path);
            (format!("Missing required parameter: '{path}'."), Some(path), Some("missing_required_parameter"))
        }
        Flaw::Type { path, expected } => {
            let path = brackets(path);
            (format!("Invalid type for '{path}': expected {}.", kind(*expected)), Some(path), Some("invalid_type"))
        }
        Flaw::Empty(path) => {
            let path = brackets(path);
            let message = format!("Invalid '{path}': empty array. Expected an array with minimum length 1.");
            (message, Some(path), Some("empty_array"))
        }
        Flaw::Unknown(path) => {
            let path = brackets(path);
            (format!("Unknown parameter: '{path}'."), Some(path), Some("unknown_parameter"))
        }
        Flaw::Other { message, path, code } => (message.clone(), path.as_deref().map(brackets), *code),
    };
    Refusal::json(400, &error(&message, "invalid_request_error", param.as_deref(), code))
}

/// The error for a path that is nothing.
pub(super) fn no_such_route(method: &str, path: &str) -> Refusal {
    let message = format!("Invalid URL ({method} {path})");
    Refusal::json(404, &error(&message, "invalid_request_error", None, None))
}

/// The error object, also as the event of a stream that fails half way.
pub(super) fn error(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
}

/// `a.0.b` as `a[0].b`.
pub(super) fn brackets(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 4);
    for segment in path.split('.') {
        let is_index = segment.bytes().all(|byte| byte.is_ascii_digit());
        let (before, after) = if is_index { ("[", "]") } else { (if out.is_empty() { "" } else { "." }, "") };
        out.extend([before, segment, after]);
    }
    out
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "an object",
        Kind::List => "an array",
        Kind::Text => "a string",
        Kind::Count => "an integer",
        Kind::Flag => "a boolean",
    }
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
