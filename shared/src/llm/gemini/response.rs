//! A whole answer, or a refusal, to events or an error.

use http::HeaderMap;

use super::{reader::Reader, status::Status};
use crate::llm::{Event, ProviderError, openai};

/// Reads an answer that isn't streamed: one chunk, then what the provider counted, if it did.
///
/// # Errors
/// `InStream` if it is an error in spite of its status, `Malformed` if it is not an answer.
pub fn events(body: &[u8]) -> Result<Vec<Event>, ProviderError> {
    let mut reader = Reader::default();
    let chunk = reader.read(body)?;
    let chunk = chunk.ok_or_else(|| ProviderError::Malformed("an answer without candidates".to_owned()))?;
    let mut events = vec![Event::Chunk(chunk)];
    events.extend(reader.usage().map(Event::Usage));
    Ok(events)
}

/// The error that an answer with a status other than 2xx stands for: what the HTTP status says, and in more detail
/// Google's own.
#[must_use]
pub fn failure(status: u16, headers: &HeaderMap, body: &[u8]) -> ProviderError {
    let said = Status::read(body);
    match openai::response::failure(status, headers, body) {
        ProviderError::Rejected { .. } if said.is_the_operators() => ProviderError::Credentials,
        ProviderError::Rejected { status, message, .. } => ProviderError::Rejected {
            status,
            message,
            code: said.name().map(str::to_owned),
            kind: None,
            param: said.field(),
        },
        ProviderError::RateLimited { retry_after } => {
            ProviderError::RateLimited { retry_after: said.retry_delay().or(retry_after) }
        }
        ProviderError::Unavailable { status, retry_after } => {
            ProviderError::Unavailable { status, retry_after: said.retry_delay().or(retry_after) }
        }
        error @ (ProviderError::Unsupported { .. }
        | ProviderError::Credentials
        | ProviderError::KeyRefused
        | ProviderError::CircuitOpen { .. }
        | ProviderError::Connect
        | ProviderError::Timeout
        | ProviderError::Cut
        | ProviderError::Malformed(_)
        | ProviderError::InStream { .. }) => error,
    }
}
