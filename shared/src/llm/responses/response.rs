//! A whole answer to events.

use serde_json::Value;

use super::{failure, item, usage};
use crate::llm::{Chunk, Delta, Event, Native, ProviderError, Reported, WireFormat};

/// Reads an answer that isn't streamed: one chunk, then what the provider counted, if it did.
///
/// # Errors
/// Whatever a failed response stands for (`InStream`, `Unavailable`, `RateLimited`, `Rejected`), `Malformed` if it is
/// not an answer.
pub fn events(body: &[u8]) -> Result<Vec<Event>, ProviderError> {
    let malformed = |problem: String| ProviderError::Malformed(problem);
    let response: Value = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    let failed = response.get("error").filter(|error| !error.is_null());
    let status = item::text(&response, "status");
    match (status, failed) {
        ("failed" | "cancelled", None) => return Err(ProviderError::InStream { message: status.to_owned() }),
        (_, Some(error)) => return Err(failure::read(error)),
        ("queued" | "in_progress", None) => return Err(malformed(format!("an answer that is {status}"))),
        (_, None) => {}
    }
    let Some(output) = response.get("output").and_then(Value::as_array) else {
        return Err(malformed("an answer without output".to_owned()));
    };
    let mut delta = Delta::default();
    output.iter().enumerate().for_each(|(position, item)| item::append(&mut delta, position, item));
    delta.finish = Some(item::finish(&response, !delta.tool_calls.is_empty()));
    let usage = response.get("usage").and_then(usage::read);
    let Value::Object(fields) = response else { return Err(malformed("an answer that is no object".to_owned())) };
    let native = Some(Native { format: WireFormat::Responses, fields });
    let mut events = vec![Event::Chunk(Chunk { choices: vec![delta], native, ..Chunk::default() })];
    events.extend(usage.map(|usage| Event::Usage(Reported { usage, native: None })));
    Ok(events)
}
