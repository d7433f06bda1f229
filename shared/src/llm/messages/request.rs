//! A prompt to the body of a request.

use crate::llm::{Call, ProviderError, format::WireRequest};

/// Writes a call.
///
/// # Errors
/// `Unsupported` if the prompt has something that this format can't say.
pub fn write(_call: &Call<'_>) -> Result<WireRequest, ProviderError> {
    Err(ProviderError::unsupported("model", "this provider is not there yet"))
}
