//! What the stand-in reads of a Responses request, and what `OpenAI` would refuse of it.

use std::collections::HashSet;

use crate::standin::body::{Content, Flaw, Object, parse};
use crate::standin::conversation::{Conversation, Speaker, Turn, push_turn};

/// The least output limit that the API takes.
const LEAST: u64 = 16;

const FIELDS: [&str; 34] = [
    "model",
    "input",
    "access_programs",
    "background",
    "background_options",
    "context_management",
    "conversation",
    "image",
    "include",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// The parts of a message.
const PARTS: [&str; 6] = ["input_text", "input_image", "input_file", "input_audio", "output_text", "refusal"];

/// Items that are no messages and no tools' results.
const SILENT: [&str; 10] = [
    "reasoning",
    "item_reference",
    "compaction",
    "custom_tool_call",
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "computer_call",
    "image_generation_call",
    "mcp_call",
];

/// Reads a request.
pub(in crate::standin) fn read(body: &[u8]) -> Result<Conversation, Flaw> {
    let body = parse(body)?;
    let root = Object::root(&body)?;
    root.only(&FIELDS)?;
    let limit = root.count("max_output_tokens")?.unwrap_or(u64::MAX);
    if limit < LEAST {
        return Err(Flaw::Other {
            message: format!(
                "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {LEAST}, but got {limit} \
                 instead."
            ),
            path: Some("max_output_tokens".into()),
            code: Some("integer_below_min_value"),
        });
    }
    let mut turns = Vec::new();
    if let Some(instructions) = root.text("instructions")?.filter(|text| !text.is_empty()) {
        turns.push(Turn { speaker: Speaker::System, texts: vec![instructions.to_owned()] });
    }
    match root.need("input", root.content("input")?)? {
        Content::Text(text) => turns.push(Turn { speaker: Speaker::User, texts: vec![text.to_owned()] }),
        Content::Parts(items) if items.is_empty() => return Err(Flaw::Empty("input".into())),
        Content::Parts(items) => read_items(&items, &mut turns, root.value("previous_response_id").is_some())?,
    }
    Ok(Conversation {
        model: root.need("model", root.text("model")?)?.to_owned(),
        turns,
        limit,
        streams: root.flag("stream")?,
        wants_usage: true,
        stop: None,
        fields: root.fields.clone(),
    })
}

fn read_items(items: &[Object<'_>], turns: &mut Vec<Turn>, has_past: bool) -> Result<(), Flaw> {
    let mut open = HashSet::new();
    for item in items {
        match item.text("type")?.unwrap_or("message") {
            "message" => push_turn(turns, message(item)?),
            "function_call" => {
                item.need("name", item.text("name")?)?;
                item.need("arguments", item.text("arguments")?)?;
                open.insert(item.need("call_id", item.text("call_id")?)?);
                push_turn(turns, Turn { speaker: Speaker::Model, texts: Vec::new() });
            }
            "function_call_output" => {
                let id = item.need("call_id", item.text("call_id")?)?;
                if !open.remove(id) && !has_past {
                    let message = format!("No tool call found for function call output with call_id {id}.");
                    return Err(Flaw::Other { message, path: Some("input".into()), code: None });
                }
                turns.push(Turn { speaker: Speaker::Tool, texts: texts(item, "output")? });
            }
            "reasoning" => check_reasoning(item)?,
            kind if SILENT.contains(&kind) => {}
            kind => {
                return Err(invalid(
                    item,
                    "type",
                    kind,
                    &["message", "function_call", "function_call_output"],
                    &SILENT,
                ));
            }
        }
    }
    match open.into_iter().next() {
        None => Ok(()),
        Some(id) => {
            let message = format!("No tool output found for function call {id}.");
            Err(Flaw::Other { message, path: Some("input".into()), code: None })
        }
    }
}

/// Reasoning is known by what it holds: as no response is stored, there is none to look up by its id.
fn check_reasoning(item: &Object<'_>) -> Result<(), Flaw> {
    let id = item.text("id")?.unwrap_or_default();
    let flaw = |message, code| Err(Flaw::Other { message, path: Some("input".into()), code });
    match item.text("encrypted_content")? {
        Some(encrypted) if encrypted.starts_with("gAAAA") => Ok(()),
        Some(_) => {
            let message = format!("The encrypted content for item {id} could not be verified.");
            flaw(message, Some("invalid_encrypted_content"))
        }
        None if item.list("content")?.is_some_and(|content| !content.is_empty()) => Ok(()),
        None => flaw(format!("Item with id '{id}' not found."), None),
    }
}

fn message(item: &Object<'_>) -> Result<Turn, Flaw> {
    let speaker = match item.need("role", item.text("role")?)? {
        "user" => Speaker::User,
        "assistant" => Speaker::Model,
        "system" | "developer" => Speaker::System,
        role => {
            return Err(invalid(item, "role", role, &["assistant", "system", "developer", "user"], &[]));
        }
    };
    Ok(Turn { speaker, texts: texts(item, "content")? })
}

fn texts(item: &Object<'_>, key: &str) -> Result<Vec<String>, Flaw> {
    match item.need(key, item.content(key)?)? {
        Content::Text(text) => Ok(vec![text.to_owned()]),
        Content::Parts(parts) => {
            let mut texts = Vec::with_capacity(parts.len());
            for part in &parts {
                match part.need("type", part.text("type")?)? {
                    "input_text" | "output_text" => {
                        texts.push(part.need("text", part.text("text")?)?.to_owned());
                    }
                    kind if PARTS.contains(&kind) => {}
                    kind => return Err(invalid(part, "type", kind, &[], &PARTS)),
                }
            }
            Ok(texts)
        }
    }
}

fn invalid(object: &Object<'_>, key: &str, value: &str, first: &[&str], then: &[&str]) -> Flaw {
    let supported = first.iter().chain(then).map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", ");
    Flaw::Other {
        message: format!("Invalid value: '{value}'. Supported values are: {supported}."),
        path: Some(object.path_of(key)),
        code: Some("invalid_value"),
    }
}
