//! Why an answer ended ("Handling stop reasons").

use serde_json::Value;

use crate::llm::{Delta, FinishReason};

/// Takes over `stop_reason` and `stop_sequence` of a message or of the end of one.
pub(super) fn take(delta: &mut Delta, message: &Value) {
    delta.finish = message.get("stop_reason").and_then(Value::as_str).map(finish);
    if let Some(text) = message.get("stop_sequence").filter(|text| text.is_string()) {
        delta.choice_extra.insert("stop_sequence".to_owned(), text.clone());
    }
}

fn finish(reason: &str) -> FinishReason {
    match reason {
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    }
}
