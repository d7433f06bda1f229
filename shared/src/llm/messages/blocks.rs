//! What a message says, as the blocks of a turn.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::source;
use crate::llm::{Content, Fields, Message, Part, ProviderError, ToolCall, responses::reasoning};

/// The name of the marker up to which the provider caches the prompt ("Prompt caching").
const CACHE: &str = "cache_control";

/// The blocks of a system message: text alone.
pub(super) fn system(message: &Message) -> Result<Vec<Value>, ProviderError> {
    let blocks = user(message)?;
    if blocks.iter().any(|block| block["type"] != "text") {
        return Err(refused("this model's system prompt can only be text"));
    }
    Ok(blocks)
}

/// The blocks of a user's message.
pub(super) fn user(message: &Message) -> Result<Vec<Value>, ProviderError> {
    Ok(mark_last(content(message.content.as_ref())?, message))
}

/// The blocks of an assistant's message: what it thought, what it said, what it called.
pub(super) fn assistant(message: &Message) -> Result<Vec<Value>, ProviderError> {
    let mut blocks = thinking_of_extra(message);
    blocks.extend(content(message.content.as_ref())?);
    blocks.extend(message.extra.get("refusal").and_then(Value::as_str).and_then(text_block));
    for call in &message.tool_calls {
        blocks.push(tool_use(call)?);
    }
    Ok(mark_last(blocks, message))
}

/// The blocks of thought that an assistant's message has, with their signatures.
pub(super) fn thinking(message: &Message) -> Vec<Value> {
    let parts = match &message.content {
        Some(Content::Parts(parts)) => parts.as_slice(),
        Some(Content::Text(_)) | None => &[],
    };
    let others = parts.iter().filter_map(|part| match part {
        Part::Other(block) => thought(block, None),
        Part::Text { .. } | Part::ImageUrl { .. } | Part::File { .. } => None,
    });
    others.chain(thinking_of_extra(message)).collect()
}

/// The result of a tool.
pub(super) fn tool_result(message: &Message) -> Result<Value, ProviderError> {
    let id = message.tool_call_id.as_deref().ok_or_else(|| refused("a tool's message needs a `tool_call_id`"))?;
    let mut block = json!({"type": "tool_result", "tool_use_id": tool_id(id)});
    match &message.content {
        None => {}
        Some(Content::Text(text)) => block["content"] = text.as_str().into(),
        Some(Content::Parts(_)) => block["content"] = content(message.content.as_ref())?.into(),
    }
    if message.extra.get("is_error").is_some_and(|error| error == true) {
        block["is_error"] = true.into();
    }
    mark(&mut block, &message.extra);
    Ok(block)
}

fn tool_use(call: &ToolCall) -> Result<Value, ProviderError> {
    let id = &call.id;
    let Some(function) = call.function.as_ref().filter(|_| call.kind == "function") else {
        return Err(refused(format!("tool call `{id}` is of type `{}`; this model knows functions only", call.kind)));
    };
    let arguments = if function.arguments.trim().is_empty() { "{}" } else { &function.arguments };
    let input: Fields = serde_json::from_str(arguments)
        .map_err(|_| refused(format!("the arguments of tool call `{id}` are not a JSON object")))?;
    let mut block = json!({"type": "tool_use", "id": tool_id(id), "name": function.name, "input": input});
    mark(&mut block, &call.extra);
    Ok(block)
}

/// The API's ids are letters, digits, `_` and `-`; other providers' may have more.
fn tool_id(id: &str) -> Cow<'_, str> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.chars().all(is_good) { id.into() } else { id.replace(|c| !is_good(c), "_").into() }
}

/// Texts of nothing but white space are left out: the API refuses them.
fn content(content: Option<&Content>) -> Result<Vec<Value>, ProviderError> {
    match content {
        None => Ok(Vec::new()),
        Some(Content::Text(text)) => Ok(text_block(text).into_iter().collect()),
        Some(Content::Parts(parts)) => parts.iter().filter_map(|part| block(part).transpose()).collect(),
    }
}

fn text_block(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text}))
}

fn block(part: &Part) -> Result<Option<Value>, ProviderError> {
    let (mut block, extra) = match part {
        Part::Text { text, extra } => match text_block(text) {
            Some(block) => (block, extra),
            None => return Ok(None),
        },
        Part::ImageUrl { extra, .. } => (source::image(part)?, extra),
        Part::File { file, extra } => (source::document(file)?, extra),
        Part::Other(value) => return other(value),
    };
    mark(&mut block, extra);
    Ok(Some(block))
}

fn other(value: &Value) -> Result<Option<Value>, ProviderError> {
    match value.get("type").and_then(Value::as_str) {
        Some("thinking" | "redacted_thinking") => Ok(thought(value, None)),
        Some("search_result") => Ok(Some(value.clone())),
        Some("refusal") => Ok(value.get("refusal").and_then(Value::as_str).and_then(text_block)),
        kind => Err(refused(format!("this model takes no content of type `{}`", kind.unwrap_or("none")))),
    }
}

/// `thinking_blocks` of a client of chat completions. A block's text may be left to `reasoning_content`, if it is the
/// only one.
fn thinking_of_extra(message: &Message) -> Vec<Value> {
    let blocks = message.extra.get("thinking_blocks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let texts = blocks.iter().filter(|block| block["type"] == "thinking").count();
    let text = message.extra.get("reasoning_content").and_then(Value::as_str).filter(|_| texts == 1);
    blocks.iter().filter_map(|block| thought(block, text)).collect()
}

/// A block of thought as the API wants it back. One without a signature is not the API's own, and would be refused; so
/// would one that holds what a provider of Responses reasoned.
fn thought(block: &Value, text: Option<&str>) -> Option<Value> {
    let field = |name: &str| block.get(name).and_then(Value::as_str);
    match field("type")? {
        "redacted_thinking" if reasoning::holds_item(block) => None,
        "redacted_thinking" => Some(json!({"type": "redacted_thinking", "data": field("data")?})),
        "thinking" => {
            let signature = field("signature").filter(|signature| !signature.is_empty())?;
            let text = field("thinking").or(text).unwrap_or_default();
            Some(json!({"type": "thinking", "thinking": text, "signature": signature}))
        }
        _ => None,
    }
}

/// A message's own marker is its last block's.
fn mark_last(mut blocks: Vec<Value>, message: &Message) -> Vec<Value> {
    let markable = |block: &&mut Value| block["type"] != "thinking" && block["type"] != "redacted_thinking";
    if let Some(last) = blocks.last_mut().filter(markable)
        && last.get(CACHE).is_none()
    {
        mark(last, &message.extra);
    }
    blocks
}

fn mark(block: &mut Value, extra: &Fields) {
    if let Some(marker) = extra.get(CACHE).filter(|marker| !marker.is_null()) {
        block[CACHE] = marker.clone();
    }
}

fn refused(message: impl Into<String>) -> ProviderError {
    ProviderError::unsupported("messages", message)
}
