//! The items of an answer's `output`, as a whole answer and the events of a stream have them.

use serde_json::{Value, json};

use super::reasoning;
use crate::llm::{Delta, FinishReason, ToolCallDelta};

/// What stands between two parts of reasoning.
pub(super) const BREAK: &str = "\n\n";

/// A text field of an object; empty if it isn't there.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Adds the item at `position` to what a choice says. Items that the normal form has no words for are left to the native ones.
pub(super) fn append(delta: &mut Delta, position: usize, item: &Value) {
    match text(item, "type") {
        "message" => parts(item, "content").for_each(|part| append_part(delta, part)),
        "reasoning" => {
            let texts = parts(item, "summary").chain(parts(item, "content")).map(|part| text(part, "text"));
            texts.filter(|text| !text.is_empty()).for_each(|text| append_reasoning(delta, text));
            append_block(delta, position, item);
        }
        _ => {
            let index = u32::try_from(delta.tool_calls.len()).unwrap_or(u32::MAX);
            delta.tool_calls.extend(call(item, index));
        }
    }
}

fn append_part(delta: &mut Delta, part: &Value) {
    match text(part, "type") {
        "output_text" => {
            delta.text.get_or_insert_default().push_str(text(part, "text"));
            append_logprobs(delta, part);
        }
        "refusal" => append_text(delta, "refusal", text(part, "refusal")),
        _ => {}
    }
}

/// Adds the `logprobs` of a text, which are those of chat completions in one list.
pub(super) fn append_logprobs(delta: &mut Delta, text: &Value) {
    let Some(Value::Array(more)) = text.get("logprobs").filter(|logprobs| **logprobs != json!([])) else { return };
    let logprobs = delta.choice_extra.entry("logprobs").or_insert_with(|| json!({"content": [], "refusal": null}));
    if let Some(Value::Array(list)) = logprobs.get_mut("content") {
        list.extend(more.iter().cloned());
    }
}

fn append_reasoning(delta: &mut Delta, text: &str) {
    if delta.message_extra.contains_key("reasoning_content") {
        append_text(delta, "reasoning_content", BREAK);
    }
    append_text(delta, "reasoning_content", text);
}

fn append_text(delta: &mut Delta, name: &str, text: &str) {
    match delta.message_extra.get_mut(name) {
        Some(Value::String(before)) => before.push_str(text),
        Some(_) | None => drop(delta.message_extra.insert(name.to_owned(), text.into())),
    }
}

/// Adds the block of thinking that a reasoning item gives to be brought back, if it does.
pub(super) fn append_block(delta: &mut Delta, position: usize, item: &Value) {
    let encrypted = item.get("encrypted_content").and_then(Value::as_str);
    let Some(mut block) = encrypted.and_then(|encrypted| reasoning::block(text(item, "id"), encrypted)) else { return };
    block["index"] = position.into();
    let blocks = delta.message_extra.entry("thinking_blocks").or_insert_with(|| json!([]));
    if let Value::Array(blocks) = blocks {
        blocks.push(block);
    }
}

/// A tool's call with its arguments so far; `None` if the item is something else.
pub(super) fn call(item: &Value, index: u32) -> Option<ToolCallDelta> {
    let arguments = match text(item, "type") {
        "function_call" => "arguments",
        "custom_tool_call" => "input",
        _ => return None,
    };
    let mut call = ToolCallDelta {
        index,
        id: Some(text(item, "call_id").to_owned()),
        name: Some(text(item, "name").to_owned()),
        arguments: text(item, arguments).to_owned(),
        ..ToolCallDelta::default()
    };
    if arguments == "input" {
        call.extra.insert("type".to_owned(), "custom".into());
    }
    Some(call)
}

/// Why a response ended.
pub(super) fn finish(response: &Value, calls: bool) -> FinishReason {
    if text(response, "status") != "incomplete" {
        return if calls { FinishReason::ToolCalls } else { FinishReason::Stop };
    }
    match response.get("incomplete_details").map(|details| text(details, "reason")) {
        Some("max_output_tokens") => FinishReason::Length,
        Some("content_filter") => FinishReason::ContentFilter,
        Some("") | None => FinishReason::Other("incomplete".to_owned()),
        Some(reason) => FinishReason::Other(reason.to_owned()),
    }
}

fn parts<'a>(item: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    item.get(name).and_then(Value::as_array).into_iter().flatten()
}
