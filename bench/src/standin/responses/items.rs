//! The output items of a response: reasoning, a message, and function calls.

use serde_json::{Value, json};

use crate::standin::answer::{Answer, Block, joined};
use crate::standin::conversation::Conversation;
use crate::standin::envelope::Envelope;
use crate::standin::vocabulary;

/// How an answer ended: the response's own word, its last event, and why it is incomplete.
pub(super) struct Ending<'a> {
    pub status: &'static str,
    pub event: &'static str,
    pub reason: Option<&'a str>,
}

impl<'a> Ending<'a> {
    pub(super) fn of(finish: &'a str) -> Self {
        let incomplete = |reason| Self { status: "incomplete", event: "response.incomplete", reason: Some(reason) };
        match finish {
            "stop" | "tool_calls" => Self { status: "completed", event: "response.completed", reason: None },
            "failed" => Self { status: "failed", event: "response.failed", reason: None },
            "length" => incomplete("max_output_tokens"),
            other => incomplete(other),
        }
    }
}

/// All items of an answer, as they are in the end.
pub(super) fn whole(answer: &Answer, envelope: &Envelope<'_>) -> Vec<Value> {
    let blocks = answer.blocks();
    let is_complete = Ending::of(&answer.finish).status == "completed";
    let last = blocks.len().saturating_sub(1);
    blocks
        .iter()
        .enumerate()
        .map(|(index, block)| {
            let status = if is_complete || index < last { "completed" } else { "incomplete" };
            done(block, index, status, envelope)
        })
        .collect()
}

/// An item as it begins.
pub(super) fn begun(block: &Block<'_>, index: usize, envelope: &Envelope<'_>) -> Value {
    let id = id(block, index, envelope.number);
    match block {
        Block::Thinking(_) => json!({ "id": id, "type": "reasoning", "summary": [] }),
        Block::Text(_) => {
            json!({ "id": id, "type": "message", "status": "in_progress", "content": [], "role": "assistant" })
        }
        Block::Call { index, name, .. } => json!({
            "id": id, "type": "function_call", "status": "in_progress", "arguments": "",
            "call_id": call_id(envelope.number, *index), "name": name
        }),
    }
}

/// An item as it ends.
fn done(block: &Block<'_>, index: usize, status: &str, envelope: &Envelope<'_>) -> Value {
    let mut item = begun(block, index, envelope);
    match block {
        Block::Thinking(words) => {
            item["summary"] = json!([summary(&vocabulary::thoughts(*words))]);
            if wants_encrypted(envelope.asked) {
                item["encrypted_content"] = format!("gAAAAA{:020}==", envelope.number).into();
            }
        }
        Block::Text(pieces) => {
            item["status"] = status.into();
            item["content"] = json!([output_text(&joined(pieces))]);
        }
        Block::Call { arguments, .. } => {
            item["status"] = status.into();
            item["arguments"] = joined(arguments).into();
        }
    }
    item
}

pub(super) fn summary(text: &str) -> Value {
    json!({ "type": "summary_text", "text": text })
}

pub(super) fn output_text(text: &str) -> Value {
    json!({ "type": "output_text", "annotations": [], "logprobs": [], "text": text })
}

pub(super) fn id(block: &Block<'_>, index: usize, number: u64) -> String {
    let kind = match block {
        Block::Thinking(_) => "rs",
        Block::Text(_) => "msg",
        Block::Call { .. } => "fc",
    };
    format!("{kind}_{number:044}{index:04}")
}

fn call_id(number: u64, index: usize) -> String {
    format!("call_{number:020}{index:04}")
}

fn wants_encrypted(asked: &Conversation) -> bool {
    let include = asked.fields.get("include").and_then(Value::as_array);
    include.is_some_and(|include| include.iter().any(|what| what == "reasoning.encrypted_content"))
}
