//! Errors as Google sends them: `{"error":{"code","message","status"}}`, over several lines. How long to wait is not in a
//! header field but in the details.

use serde_json::{Value, json};

use crate::standin::body::{Flaw, Kind};
use crate::standin::openai::brackets;
use crate::standin::vendor::Refusal;

/// The error of a status; `name` is its `status`.
pub(in crate::standin) fn refusal(status: u16, name: Option<&str>, retry_after: Option<&str>) -> Refusal {
    let mut error = error(status, name);
    if let Some(seconds) = retry_after {
        error["error"]["details"] =
            json!([{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s") }]);
    }
    pretty(status, &error)
}

/// The error for a request without a key.
pub(in crate::standin) fn no_key() -> Refusal {
    let message = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key \
                   or other form of API consumer identity to call this API.";
    pretty(403, &object(403, message, "PERMISSION_DENIED"))
}

/// The error for a flaw of a request.
pub(in crate::standin) fn bad_request(flaw: &Flaw) -> Refusal {
    let message = match flaw {
        Flaw::NotJson(problem) => format!("Invalid JSON payload received. {problem}"),
        Flaw::Missing(path) | Flaw::Empty(path) => {
            let last = path.rsplit('.').next().unwrap_or_default();
            format!("* GenerateContentRequest.{}: {last} is not specified\n", brackets(path))
        }
        Flaw::Type { path, expected } => format!("Invalid value at '{}' ({})", brackets(path), kind(*expected)),
        Flaw::Unknown(path) => {
            let (at, name) = path.rsplit_once('.').unwrap_or(("", path));
            let at = if at.is_empty() { String::new() } else { format!(" at '{}'", brackets(at)) };
            format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.")
        }
        Flaw::Other { message, .. } => message.clone(),
    };
    pretty(400, &object(400, &message, "INVALID_ARGUMENT"))
}

/// The error object, also as the event of a stream that fails half way.
pub(super) fn error(status: u16, name: Option<&str>) -> Value {
    let (usual_name, message) = usual(status);
    object(status, message, name.unwrap_or(usual_name))
}

/// The status that a name goes with.
pub(super) fn status_of(name: &str) -> u16 {
    match name {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => 400,
        "UNAUTHENTICATED" => 401,
        "PERMISSION_DENIED" => 403,
        "NOT_FOUND" => 404,
        "ABORTED" | "ALREADY_EXISTS" => 409,
        "RESOURCE_EXHAUSTED" => 429,
        "CANCELLED" => 499,
        "UNIMPLEMENTED" => 501,
        "UNAVAILABLE" => 503,
        "DEADLINE_EXCEEDED" => 504,
        _ => 500,
    }
}

fn object(status: u16, message: &str, name: &str) -> Value {
    json!({ "error": { "code": status, "message": message, "status": name } })
}

fn pretty(status: u16, error: &Value) -> Refusal {
    Refusal::new(status, format!("{error:#}\n"))
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "type.googleapis.com/google.protobuf.Struct",
        Kind::List => "TYPE_MESSAGE",
        Kind::Text => "TYPE_STRING",
        Kind::Count => "TYPE_INT32",
        Kind::Flag => "TYPE_BOOL",
    }
}

fn usual(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
        403 => ("PERMISSION_DENIED", "The caller does not have permission"),
        404 => ("NOT_FOUND", "The model is not found for API version v1beta."),
        409 => ("ABORTED", "The operation was aborted."),
        429 => ("RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details."),
        503 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
        504 => ("DEADLINE_EXCEEDED", "The service was unable to finish processing within the deadline."),
        500.. => ("INTERNAL", "An internal error has occurred. Please retry."),
        _ => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    }
}
