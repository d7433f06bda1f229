//! A whole answer, or a refusal, to events or an error.

use http::HeaderMap;
use serde_json::Value;

use super::answer::Answer;
use crate::llm::{Event, ProviderError, openai};

/// Reads an answer that isn't streamed: one chunk, then what the provider counted, if it did.
///
/// # Errors
/// `Malformed` if it is not an answer.
pub fn events(body: &[u8]) -> Result<Vec<Event>, ProviderError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| ProviderError::Malformed(error.to_string()))?;
    let (chunk, reported) = answer.into_chunk()?;
    Ok([Event::Chunk(chunk)].into_iter().chain(reported.map(Event::Usage)).collect())
}

/// The error that an answer with a status other than 2xx stands for: what its type says, which some statuses have in
/// common, or else its status.
#[must_use]
pub fn failure(status: u16, headers: &HeaderMap, body: &[u8]) -> ProviderError {
    let kind = error_type(headers, body).unwrap_or_default();
    let error = openai::response::failure(status, headers, body);
    let retry_after = error.retry_after();
    match kind.as_str() {
        "ThrottlingException" | "TooManyRequestsException" => ProviderError::RateLimited { retry_after },
        // A model that is still loading, that took too long, or that failed.
        "ModelNotReadyException" | "ModelTimeoutException" | "ModelErrorException" => {
            ProviderError::Unavailable { status, retry_after }
        }
        // A signature or credentials that are refused, some of them with 400.
        "IncompleteSignature"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "UnrecognizedClientException"
        | "ExpiredTokenException"
        | "AccessDeniedException" => ProviderError::Credentials,
        _ => with_code(error, kind),
    }
}

/// The type of an error (AWS restJson1 protocol, "Operation error serialization"): before a colon in the header field,
/// or behind a hash sign in the body.
fn error_type(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let header = headers.get("x-amzn-errortype").and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let kind = header.or_else(|| {
        let body: Value = serde_json::from_slice(body).ok()?;
        body.get("__type").or_else(|| body.get("code"))?.as_str().map(str::to_owned)
    })?;
    let kind = kind.split(':').next()?.rsplit('#').next()?;
    Some(kind.to_owned())
}

fn with_code(error: ProviderError, kind: String) -> ProviderError {
    match error {
        ProviderError::Rejected { status, message, param, .. } => {
            let code = Some(kind).filter(|kind| !kind.is_empty());
            ProviderError::Rejected { status, message, code, kind: None, param }
        }
        ProviderError::Unsupported { .. }
        | ProviderError::Credentials
        | ProviderError::KeyRefused
        | ProviderError::RateLimited { .. }
        | ProviderError::Unavailable { .. }
        | ProviderError::CircuitOpen { .. }
        | ProviderError::Connect
        | ProviderError::Timeout
        | ProviderError::Cut
        | ProviderError::Malformed(_)
        | ProviderError::InStream { .. } => error,
    }
}
