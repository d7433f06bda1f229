//! Errors as Bedrock sends them: `{"message"}`, with the exception's name in the field `x-amzn-errortype`.

use http::HeaderMap;
use serde_json::json;

use crate::standin::body::{Flaw, Kind};
use crate::standin::vendor::{Refusal, put};

/// The exception of a status; `name` is another one.
pub(in crate::standin) fn refusal(status: u16, name: Option<&str>) -> Refusal {
    let (usual_name, message) = usual(status);
    exception(status, name.unwrap_or(usual_name), message)
}

/// The error for a request without a signature or a token.
pub(in crate::standin) fn no_key() -> Refusal {
    exception(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
}

/// The error for a flaw of a request.
pub(in crate::standin) fn bad_request(flaw: &Flaw) -> Refusal {
    let message = match flaw {
        Flaw::NotJson(problem) => return exception(400, "SerializationException", problem),
        Flaw::Type { path, expected } => {
            let message = format!("{path}: the value cannot be converted to {}", kind(*expected));
            return exception(400, "SerializationException", &message);
        }
        Flaw::Missing(path) => format!(
            "1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
        ),
        Flaw::Empty(path) => format!(
            "1 validation error detected: Value '[]' at '{path}' failed to satisfy constraint: Member must have length \
             greater than or equal to 1"
        ),
        Flaw::Unknown(path) => format!(
            "The model returned the following errors: extraneous key [{path}] is not permitted, please reformat your \
             input and try again."
        ),
        Flaw::Other { message, .. } => message.clone(),
    };
    exception(400, "ValidationException", &message)
}

fn exception(status: u16, name: &str, message: &str) -> Refusal {
    let mut headers = HeaderMap::with_capacity(2);
    put(&mut headers, "x-amzn-errortype", &format!("{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"));
    Refusal { headers, ..Refusal::json(status, &json!({ "message": message })) }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "a structure",
        Kind::List => "a list",
        Kind::Text => "a String",
        Kind::Count => "an Integer",
        Kind::Flag => "a Boolean",
    }
}

fn usual(status: u16) -> (&'static str, &'static str) {
    match status {
        403 => ("AccessDeniedException", "You don't have access to the model with the specified model ID."),
        404 => {
            ("ResourceNotFoundException", "Could not resolve the foundation model from the provided model identifier.")
        }
        408 => ("ModelTimeoutException", "Model has timed out in processing the request. Try your request again."),
        424 => ("ModelErrorException", "The model failed to process the request."),
        429 => ("ThrottlingException", "Too many requests, please wait before trying again."),
        503 => ("ServiceUnavailableException", "Bedrock is unable to process your request."),
        500.. => {
            ("InternalServerException", "The system encountered an unexpected error during processing. Try again.")
        }
        _ => ("ValidationException", "The request is not valid."),
    }
}
