//! A whole answer, or a refusal, to events or an error ("Errors").

use http::HeaderMap;
use serde_json::Value;

use super::{pieces::Pieces, stop, usage::Counts};
use crate::llm::{Chunk, Delta, Event, Fields, Native, ProviderError, WireFormat, openai};

/// The status of `overloaded_error`.
const OVERLOADED: u16 = 529;

/// How the API begins its refusal of an empty account, which it gives as a fault of the request.
const NO_CREDIT: &str = "Your credit balance is too low";

/// Reads an answer that isn't streamed: one chunk, then what the provider counted, if it did.
///
/// # Errors
/// `InStream`, `Unavailable` or `RateLimited` if it is an error in spite of its status, `Malformed` if it is not an
/// answer.
pub fn events(body: &[u8]) -> Result<Vec<Event>, ProviderError> {
    let message: Value = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    if message["type"] == "error" {
        return Err(told(&message));
    }
    let Some(blocks) = message.get("content").and_then(Value::as_array).filter(|_| message["type"] == "message") else {
        return Err(ProviderError::Malformed("not a message".to_owned()));
    };
    let (mut delta, mut pieces) = (Delta::default(), Pieces::default());
    for (index, block) in (0..).zip(blocks) {
        pieces.begin(&mut delta, index, block);
        pieces.end(&mut delta, index);
    }
    stop::take(&mut delta, &message);
    let mut counts = Counts::default();
    counts.take(&message["usage"]);
    let Value::Object(fields) = message else { return Err(ProviderError::Malformed("not an object".to_owned())) };
    let chunk = Chunk { choices: vec![delta], extra: Fields::new(), native: Some(native(fields)) };
    Ok([Event::Chunk(chunk)].into_iter().chain(counts.reported().map(Event::Usage)).collect())
}

/// The error that an answer with a status other than 2xx stands for.
#[must_use]
pub fn failure(status: u16, headers: &HeaderMap, body: &[u8]) -> ProviderError {
    // `{"error": {"type", "message"}}`, which reads as `OpenAI`'s.
    match openai::response::failure(status, headers, body) {
        ProviderError::Rejected { message, .. } if message.starts_with(NO_CREDIT) => ProviderError::Credentials,
        error => error,
    }
}

/// The error that an `error` object tells where an answer should be.
pub(super) fn told(fields: &Value) -> ProviderError {
    let field = |name: &str| fields.get("error").and_then(|error| error.get(name)?.as_str());
    match field("type") {
        Some("overloaded_error") => ProviderError::Unavailable { status: OVERLOADED, retry_after: None },
        Some("rate_limit_error") => ProviderError::RateLimited { retry_after: None },
        Some(_) | None => {
            ProviderError::InStream { message: field("message").map_or_else(|| fields.to_string(), str::to_owned) }
        }
    }
}

/// The provider's own words.
pub(super) fn native(fields: Fields) -> Native {
    Native { format: WireFormat::Messages, fields }
}

/// Something that is not JSON.
pub(super) fn malformed(error: &serde_json::Error) -> ProviderError {
    ProviderError::Malformed(error.to_string())
}
