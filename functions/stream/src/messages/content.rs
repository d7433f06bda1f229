//! The conversation: turns of blocks to messages of parts.

use lmo_shared::{
    error::Result,
    llm::{Content, Fields, Message, Part, Role, ToolCall},
};
use serde_json::{Value, json};

use super::node::Node;

/// Where the body says something that the pipeline's words can't.
#[derive(Default)]
pub(super) struct Unsaid(pub Vec<String>);

impl Unsaid {
    pub fn add(&mut self, node: &Node, name: &str) {
        self.0.push(node.path(name));
    }
}

/// The system prompt, as the first message; none if there is none.
pub(super) fn system(root: &Node) -> Result<Option<Message>> {
    said(root, "system", Role::System, &mut Unsaid::default())
}

/// The turns. Results of tools become messages of their own.
pub(super) fn messages(root: &Node, unsaid: &mut Unsaid) -> Result<Vec<Message>> {
    root.needed("messages", root.get("messages"))?;
    let mut messages = Vec::new();
    for turn in root.nodes("messages")? {
        turn.needed("content", turn.get("content"))?;
        match turn.needed_text("role")? {
            "user" => user(&turn, unsaid, &mut messages)?,
            "assistant" => messages.push(assistant(&turn, unsaid)?),
            "system" => messages.extend(said(&turn, "content", Role::System, unsaid)?),
            _ => return Err(turn.wrong("role", "it must be `user` or `assistant`")),
        }
    }
    Ok(messages)
}

/// Whether a block is a thought that LMO made of what another model said of its thoughts: it has no signature, and a
/// provider takes back only what it has signed.
pub(super) fn is_unsigned(block: &Value) -> bool {
    block["type"] == "thinking" && block.get("signature").and_then(Value::as_str).is_none_or(str::is_empty)
}

/// Takes out those blocks of the conversation.
pub(super) fn drop_blocks(fields: &mut Fields, is_dropped: fn(&Value) -> bool) {
    let Some(turns) = fields.get_mut("messages").and_then(Value::as_array_mut) else { return };
    turns.retain_mut(|turn| {
        let Some(blocks) = turn.get_mut("content").and_then(Value::as_array_mut) else { return true };
        let before = blocks.len();
        blocks.retain(|block| !is_dropped(block));
        !blocks.is_empty() || before == 0
    });
}

/// Text or blocks that become one message.
fn said(node: &Node, name: &str, role: Role, unsaid: &mut Unsaid) -> Result<Option<Message>> {
    match node.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(Message::text(role, text))),
        Some(_) => {
            let mut parts = Vec::new();
            for block in node.nodes(name)? {
                parts.extend(part(&block, unsaid)?);
            }
            Ok(Some(of_parts(role, parts)))
        }
    }
}

fn of_parts(role: Role, parts: Vec<Part>) -> Message {
    Message { content: Some(Content::Parts(parts)), ..Message::text(role, "") }
}

fn user(turn: &Node, unsaid: &mut Unsaid, messages: &mut Vec<Message>) -> Result<()> {
    if let Some(Value::String(text)) = turn.get("content") {
        messages.push(Message::text(Role::User, text));
        return Ok(());
    }
    let mut parts = Vec::new();
    for block in turn.nodes("content")? {
        if block.needed_text("type")? == "tool_result" {
            if !parts.is_empty() {
                messages.push(of_parts(Role::User, std::mem::take(&mut parts)));
            }
            messages.push(tool_result(&block, unsaid)?);
        } else {
            parts.extend(part(&block, unsaid)?);
        }
    }
    if !parts.is_empty() {
        messages.push(of_parts(Role::User, parts));
    }
    Ok(())
}

fn tool_result(block: &Node, unsaid: &mut Unsaid) -> Result<Message> {
    let said = said(block, "content", Role::Tool, unsaid)?;
    let mut message = said.unwrap_or_else(|| Message::text(Role::Tool, ""));
    message.tool_call_id = Some(block.needed_text("tool_use_id")?.to_owned());
    message.extra = marker(block)?;
    if block.flag("is_error")? == Some(true) {
        message.extra.insert("is_error".to_owned(), true.into());
    }
    Ok(message)
}

fn assistant(turn: &Node, unsaid: &mut Unsaid) -> Result<Message> {
    if let Some(Value::String(text)) = turn.get("content") {
        return Ok(Message::text(Role::Assistant, text));
    }
    let mut message = of_parts(Role::Assistant, Vec::new());
    let mut parts = Vec::new();
    for block in turn.nodes("content")? {
        if block.needed_text("type")? == "tool_use" {
            message.tool_calls.push(tool_use(&block)?);
        } else {
            parts.extend(part(&block, unsaid)?);
        }
    }
    message.content = (!parts.is_empty()).then_some(Content::Parts(parts));
    Ok(message)
}

fn tool_use(block: &Node) -> Result<ToolCall> {
    let input = block.needed("input", block.node("input")?)?;
    let (id, name) = (block.needed_text("id")?, block.needed_text("name")?);
    let call = ToolCall::function(id, name, json!(input.fields).to_string());
    Ok(ToolCall { extra: marker(block)?, ..call })
}

/// The parts that a block is; mostly one. Blocks that the pipeline doesn't know are left to it to refuse.
fn part(block: &Node, unsaid: &mut Unsaid) -> Result<Vec<Part>> {
    Ok(match block.needed_text("type")? {
        "text" => vec![Part::Text { text: block.needed_text("text")?.to_owned(), extra: marker(block)? }],
        "image" => vec![image(block)?],
        "document" => document(block, unsaid)?,
        _ => vec![Part::Other(json!(block.fields))],
    })
}

fn image(block: &Node) -> Result<Part> {
    let source = block.needed("source", block.node("source")?)?;
    let url = address(&source)?;
    Ok(Part::ImageUrl { image_url: json!({"url": url}), extra: marker(block)? })
}

/// An address, or a `data:` URL of what is in the request itself.
fn address(source: &Node) -> Result<String> {
    match source.needed_text("type")? {
        "base64" => {
            let (media_type, data) = (source.needed_text("media_type")?, source.needed_text("data")?);
            Ok(format!("data:{media_type};base64,{data}"))
        }
        "url" => Ok(source.needed_text("url")?.to_owned()),
        // Files at the provider are the operator's, not the caller's.
        _ => Err(source.wrong("type", "it is not supported here")),
    }
}

/// A document of text is text; title and context stand before it.
fn document(block: &Node, unsaid: &mut Unsaid) -> Result<Vec<Part>> {
    let source = block.needed("source", block.node("source")?)?;
    let (title, context) = (block.text("title")?, block.text("context")?);
    if let Some(citations) = block.node("citations")?
        && citations.flag("enabled")? == Some(true)
    {
        unsaid.add(block, "citations");
    }
    let text = |text: &str| Part::Text { text: text.to_owned(), extra: Fields::new() };
    let mut parts: Vec<Part> = context.map(text).into_iter().collect();
    match source.needed_text("type")? {
        "text" => {
            parts.splice(0..0, title.map(text));
            parts.push(text(source.needed_text("data")?));
        }
        "content" => {
            parts.splice(0..0, title.map(text));
            match said(&source, "content", Role::User, unsaid)?.and_then(|message| message.content) {
                Some(Content::Text(said)) => parts.push(text(&said)),
                Some(Content::Parts(said)) => parts.extend(said),
                None => return Err(source.wrong("content", "it is missing")),
            }
        }
        kind => {
            let name = if kind == "url" { "file_url" } else { "file_data" };
            let mut file = json!({name: address(&source)?});
            if let Some(title) = title {
                file["filename"] = title.into();
            }
            parts.push(Part::File { file, extra: Fields::new() });
        }
    }
    mark(&mut parts, marker(block)?);
    Ok(parts)
}

/// Puts a block's marker on the last of its parts.
fn mark(parts: &mut [Part], marker: Fields) {
    if let Some(Part::Text { extra, .. } | Part::ImageUrl { extra, .. } | Part::File { extra, .. }) = parts.last_mut() {
        extra.extend(marker);
    }
}

/// The marker up to which the provider caches.
fn marker(block: &Node) -> Result<Fields> {
    let marker = block.node("cache_control")?;
    Ok(marker.into_iter().map(|marker| ("cache_control".to_owned(), json!(marker.fields))).collect())
}
