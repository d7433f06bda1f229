//! A whole answer, or a refusal, to events or an error.

use http::HeaderMap;

use crate::llm::{Event, ProviderError};

/// Reads an answer that isn't streamed: one chunk, then what the provider counted, if it did.
///
/// # Errors
/// `InStream` if it is an error in spite of its status, `Malformed` if it is not an answer.
pub fn events(_body: &[u8]) -> Result<Vec<Event>, ProviderError> {
    Err(ProviderError::Malformed(String::new()))
}

/// The error that an answer with a status other than 2xx stands for.
#[must_use]
pub fn failure(status: u16, headers: &HeaderMap, body: &[u8]) -> ProviderError {
    crate::llm::openai::response::failure(status, headers, body)
}
