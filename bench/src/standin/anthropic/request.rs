//! What the stand-in reads of a Messages request, and what Anthropic would refuse of it.

use http::HeaderMap;
use serde_json::Value;

use crate::standin::body::{Content, Flaw, Object, parse};
use crate::standin::conversation::{Conversation, Speaker, Turn};
use crate::standin::pairing::{Flow, Pairing, Unpaired};

const FIELDS: [&str; 23] = [
    "model",
    "messages",
    "max_tokens",
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "mcp_servers",
    "metadata",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Blocks without text that counts.
const SILENT: [&str; 13] = [
    "image",
    "document",
    "search_result",
    "thinking",
    "redacted_thinking",
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "container_upload",
];

/// Reads a request.
pub(in crate::standin) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Conversation, Flaw> {
    if !headers.contains_key("anthropic-version") {
        return Err(Flaw::other("anthropic-version: header is required"));
    }
    let body = parse(body)?;
    let root = Object::root(&body)?;
    root.only(&FIELDS)?;
    let limit = root.need("max_tokens", root.count("max_tokens")?)?;
    if limit == 0 {
        return Err(Flaw::other("max_tokens: Input should be greater than or equal to 1"));
    }
    let thinking = root.object("thinking")?.map(|thinking| thinking.count("budget_tokens")).transpose()?.flatten();
    if thinking.is_some_and(|budget| budget >= limit) {
        return Err(Flaw::other("`max_tokens` must be greater than `thinking.budget_tokens`."));
    }
    let mut turns = Vec::new();
    let system = root.content("system")?.map(|content| system_texts(&content)).transpose()?.unwrap_or_default();
    if !system.is_empty() {
        turns.push(Turn { speaker: Speaker::System, texts: system });
    }
    let mut pairing = Pairing::default();
    let messages = root.some_objects("messages")?;
    for (index, message) in messages.iter().enumerate() {
        read_message(message, &mut turns, &mut pairing)?;
        let is_last = index + 1 == messages.len();
        if is_empty(message) && !(is_last && message.text("role")? == Some("assistant")) {
            return Err(Flaw::other(format!(
                "{}: all messages must have non-empty content except for the optional final assistant message",
                message.path
            )));
        }
    }
    pairing.check().map_err(unpaired)?;
    Ok(Conversation {
        model: root.need("model", root.text("model")?)?.to_owned(),
        turns,
        limit,
        streams: root.flag("stream")?,
        wants_usage: true,
        stop: root.texts("stop_sequences")?.and_then(|stops| stops.into_iter().next()),
        ..Conversation::default()
    })
}

fn system_texts(content: &Content<'_>) -> Result<Vec<String>, Flaw> {
    match content {
        Content::Text("") => Ok(Vec::new()),
        Content::Text(text) => Ok(vec![(*text).to_owned()]),
        Content::Parts(parts) => {
            parts.iter().map(|part| Ok(part.need("text", part.text("text")?)?.to_owned())).collect()
        }
    }
}

fn read_message(message: &Object<'_>, turns: &mut Vec<Turn>, pairing: &mut Pairing) -> Result<(), Flaw> {
    message.only(&["role", "content"])?;
    let speaker = match message.need("role", message.text("role")?)? {
        "user" => Speaker::User,
        "assistant" => Speaker::Model,
        "system" => Speaker::System,
        _ => return Err(Flaw::other(format!("{}: Input should be 'user' or 'assistant'", message.path_of("role")))),
    };
    let mut texts = Vec::new();
    let mut flow = Flow::default();
    let mut only_results = true;
    match message.need("content", message.content("content")?)? {
        Content::Text(text) => {
            only_results = false;
            texts.push(text.to_owned());
        }
        Content::Parts(blocks) => {
            for block in blocks {
                match block.need("type", block.text("type")?)? {
                    "text" => match block.need("text", block.text("text")?)? {
                        "" => return Err(Flaw::other("messages: text content blocks must be non-empty")),
                        text => texts.push(text.to_owned()),
                    },
                    "tool_use" => {
                        block.need("input", block.object("input")?)?;
                        flow.calls.push(block.need("id", block.text("id")?)?.to_owned());
                    }
                    "tool_result" => {
                        flow.results.push(block.need("tool_use_id", block.text("tool_use_id")?)?.to_owned());
                        turns.push(Turn { speaker: Speaker::Tool, texts: result_texts(&block)? });
                        continue;
                    }
                    "thinking" => sealed(&block, "signature")?,
                    "redacted_thinking" => sealed(&block, "data")?,
                    kind => known(&block, kind)?,
                }
                only_results = false;
            }
        }
    }
    pairing.turns.push(flow);
    if !only_results || speaker != Speaker::User {
        turns.push(Turn { speaker, texts });
    }
    Ok(())
}

fn is_empty(message: &Object<'_>) -> bool {
    match message.value("content") {
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(blocks)) => blocks.is_empty(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => true,
    }
}

fn result_texts(block: &Object<'_>) -> Result<Vec<String>, Flaw> {
    match block.content("content")? {
        None => Ok(Vec::new()),
        Some(Content::Text(text)) => Ok(vec![text.to_owned()]),
        Some(Content::Parts(parts)) => parts
            .iter()
            .filter_map(|part| part.value("text").and_then(Value::as_str))
            .map(|text| Ok(text.to_owned()))
            .collect(),
    }
}

/// Thoughts come back only as the API gave them: what seals them is at least base64.
fn sealed(block: &Object<'_>, seal: &str) -> Result<(), Flaw> {
    let text = block.need(seal, block.text(seal)?)?;
    let is_base64 = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    if is_base64 && !text.is_empty() {
        return Ok(());
    }
    let kind = block.text("type")?.unwrap_or_default();
    Err(Flaw::other(format!("{}: Invalid `{seal}` in `{kind}` block", block.path)))
}

fn known(block: &Object<'_>, kind: &str) -> Result<(), Flaw> {
    if SILENT.contains(&kind) {
        return Ok(());
    }
    let expected = ["text", "tool_use", "tool_result"].iter().chain(&SILENT).map(|tag| format!("'{tag}'"));
    let expected = expected.collect::<Vec<_>>().join(", ");
    let path = &block.path;
    Err(Flaw::other(format!(
        "{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {expected}"
    )))
}

fn unpaired(unpaired: Unpaired) -> Flaw {
    Flaw::other(match unpaired {
        Unpaired::Result { turn, id } => format!(
            "messages.{turn}.content: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` \
             block must have a corresponding `tool_use` block in the previous message."
        ),
        Unpaired::Call { turn, id } => format!(
            "messages.{turn}: `tool_use` ids were found without `tool_result` blocks immediately after: {id}. Each \
             `tool_use` block must have a corresponding `tool_result` block in the next message."
        ),
    })
}
