//! Thought signatures: what Gemini thought, encrypted, to be given back with the conversation (Gemini API, "Thought
//! signatures"). Chat clients carry them where Google's own `OpenAI` compatibility puts them: in `extra_content` of a
//! tool call or a message.

use serde_json::{Value, json};

use crate::llm::Fields;

/// Stands for the signature of a call that another model made, or whose signature a client lost. The documentation
/// names it for that; without any, the third generation refuses the conversation.
pub(super) const UNSIGNED: &str = "skip_thought_signature_validator";

/// The signature in the fields of a tool call or a message.
pub(super) fn of(extra: &Fields) -> Option<&str> {
    extra.get("extra_content")?.get("google")?.get("thought_signature").and_then(Value::as_str)
}

/// The fields that carry a signature.
pub(super) fn fields(signature: &str) -> Fields {
    [("extra_content".to_owned(), json!({"google": {"thought_signature": signature}}))].into_iter().collect()
}
