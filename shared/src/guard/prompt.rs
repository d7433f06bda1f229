//! What the rules do to a request.
//!
//! Its texts are all that somebody wrote: what the messages say (their names, reasoning and other fields too), the
//! arguments and results of tool calls, the descriptions of tools and of a response format, examples of what a tool
//! takes, the texts that end the answer, and further parameters such as `user`. Names of tools and the schemas of their arguments are left as they
//! are, because the answer must fit them.

use serde_json::Value;

use super::{
    Compiled,
    filter::{Denied, Then},
    lists_tool,
};
use crate::{
    error::{Error, Result},
    llm::{Content, Message, Part, Prompt, Role},
};

/// Whether a request is still what the caller wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspected {
    /// It is.
    Unchanged,
    /// Something in it was masked.
    Masked,
}

/// Fields that hold no text: what the wire format itself says, and what is encoded.
const OPAQUE: [&str; 16] = [
    "type",
    "id",
    "role",
    "index",
    "format",
    "cache_control",
    "data",
    "file_data",
    "file_id",
    "file_url",
    "image_url",
    "media_type",
    "signature",
    "thought_signature",
    "encrypted_content",
    "tool_call_id",
];

/// A text, and whether it is JSON.
struct Text<'a> {
    text: &'a mut String,
    json: bool,
}

type Visit<'a> = dyn FnMut(Text<'_>) -> Result<bool> + 'a;

pub(super) fn check(guard: &Compiled, prompt: &mut Prompt) -> Result<Inspected> {
    check_size(guard, prompt)?;
    check_tools(guard, prompt)?;
    check_allowed(guard, prompt)?;
    if guard.input.is_empty() {
        return Ok(Inspected::Unchanged);
    }
    let mut cache = guard.input.any.create_cache();
    let mut inspect = |text: Text<'_>| guard.input.inspect(text.text, text.json, &mut cache);
    check_untranslated(prompt, &mut inspect)?;
    let labelled = labels(prompt, &mut inspect)?;
    if !(each_text(prompt, &mut inspect)? | labelled) {
        return Ok(Inspected::Unchanged);
    }
    prompt.native = None;
    Ok(Inspected::Masked)
}

pub(super) fn check_recalled<'a>(
    guard: &Compiled,
    summary: Option<&mut String>,
    messages: impl Iterator<Item = &'a mut Message>,
) -> Result<()> {
    if guard.input.is_empty() {
        return Ok(());
    }
    let mut cache = guard.input.any.create_cache();
    let mut inspect = |text: Text<'_>| guard.input.inspect(text.text, text.json, &mut cache);
    if let Some(text) = summary {
        inspect(Text { text, json: false })?;
    }
    for message in messages {
        message_texts(message, &mut inspect)?;
    }
    Ok(())
}

pub(super) fn check_texts<'a>(
    guard: &Compiled,
    param: &str,
    texts: impl Iterator<Item = &'a mut String>,
) -> Result<()> {
    let most = guard.config.max_input_bytes.unwrap_or(usize::MAX);
    let mut cache = guard.input.any.create_cache();
    let mut bytes = 0_usize;
    for text in texts {
        bytes = bytes.saturating_add(text.len());
        if bytes > most {
            return Err(too_large(param, most));
        }
        guard.input.inspect(text, false, &mut cache)?;
    }
    Ok(())
}

fn check_size(guard: &Compiled, prompt: &mut Prompt) -> Result<()> {
    if let Some(most) = guard.config.max_messages.filter(|most| prompt.messages.len() > *most) {
        return Err(Error::invalid("messages", format!("the guardrails allow at most {most} messages")));
    }
    let Some(most) = guard.config.max_input_bytes else { return Ok(()) };
    let mut bytes = 0_usize;
    each_text(prompt, &mut |text| {
        bytes = bytes.saturating_add(text.text.len());
        Ok(false)
    })?;
    if bytes > most {
        return Err(too_large("messages", most));
    }
    Ok(())
}

fn too_large(param: &str, most: usize) -> Error {
    Error::invalid(param, format!("the guardrails allow at most {most} bytes of text"))
}

/// The tools that a request brings, with where they are in it.
fn tools(prompt: &Prompt) -> impl Iterator<Item = (String, &Value)> {
    let legacy = prompt.extra.get("functions").and_then(Value::as_array).into_iter().flatten();
    let offered = prompt.tools.iter().enumerate().map(|(index, tool)| (format!("tools[{index}]"), tool));
    offered.chain(legacy.map(|tool| ("functions".to_owned(), tool)))
}

/// All names that a tool has.
fn names(tool: &Value) -> impl Iterator<Item = &str> {
    let named = [tool.get("function"), tool.get("custom"), Some(tool)].into_iter().flatten();
    named.filter_map(|named| named.get("name")?.as_str())
}

/// What a tool is, if it is no function.
fn kind(tool: &Value) -> Option<&str> {
    tool.get("type")?.as_str().filter(|kind| *kind != "function")
}

/// Fails if a request brings a tool that is not in a list, or that has no name that could be in it.
///
/// # Errors
/// `ToolNotAllowed`.
pub fn check_allowed_tools(listed: &[String], prompt: &Prompt) -> Result<()> {
    for (param, tool) in tools(prompt) {
        let own = names(tool).next().or(kind(tool)).unwrap_or_default();
        let refused = names(tool).find(|name| !lists_tool(listed, name));
        if let Some(tool) = refused.or((!lists_tool(listed, own)).then_some(own)) {
            return Err(Error::ToolNotAllowed { param, tool: tool.to_owned() });
        }
    }
    Ok(())
}

fn check_tools(guard: &Compiled, prompt: &Prompt) -> Result<()> {
    for (param, tool) in tools(prompt) {
        if let Some(name) = names(tool).chain(kind(tool)).find(|name| guard.blocks_tool(name)) {
            return Err(Error::invalid(param, format!("the guardrails block tool `{name}`")));
        }
        if tool.get("custom").is_some() && !guard.output.is_empty() {
            let detail = "the guardrails can't inspect calls of a custom tool: offer a function instead";
            return Err(Error::invalid(param, detail));
        }
    }
    Ok(())
}

fn check_allowed(guard: &Compiled, prompt: &Prompt) -> Result<()> {
    let Some(allow) = &guard.allow else { return Ok(()) };
    let asked = prompt.messages.iter().rfind(|message| message.role == Role::User);
    let text = asked.and_then(|message| message.content.as_ref()).map(Content::text).unwrap_or_default();
    let found = allow.filter(false).pass(&text, Then::Nothing).denied;
    if matches!(found, Some(Denied::Pattern(_))) { Ok(()) } else { Err(Error::Blocked { rule: "allow".to_owned() }) }
}

/// What only the caller's own words say can be inspected, but not changed: those words are all that a provider gets.
fn check_untranslated(prompt: &mut Prompt, inspect: &mut Visit<'_>) -> Result<()> {
    let Some(native) = prompt.native.as_deref_mut() else { return Ok(()) };
    for name in &prompt.untranslated {
        let Some(value) = native.fields.get_mut(name) else { continue };
        if strings(value, inspect)? {
            return Err(Error::invalid(name, "the guardrails mask a text in this parameter, which can't be changed"));
        }
    }
    Ok(())
}

/// What the caller calls its own request, which is translated for nobody: it goes with the caller's words, or not at all.
fn labels(prompt: &mut Prompt, inspect: &mut Visit<'_>) -> Result<bool> {
    let native = prompt.native.as_deref_mut();
    native.and_then(|native| native.fields.get_mut("metadata")).map_or(Ok(false), |labels| strings(labels, inspect))
}

/// Visits all texts; says whether any was changed.
fn each_text(prompt: &mut Prompt, visit: &mut Visit<'_>) -> Result<bool> {
    let mut changed = false;
    for message in &mut prompt.messages {
        changed |= message_texts(message, visit)?;
    }
    for value in prompt.tools.iter_mut().chain(&mut prompt.response_format) {
        changed |= descriptions(value, visit)?;
    }
    for examples in prompt.tools.iter_mut().filter_map(|tool| tool.get_mut("input_examples")) {
        changed |= strings(examples, visit)?;
    }
    for text in &mut prompt.stop {
        changed |= visit(Text { text, json: false })?;
    }
    for (name, value) in &mut prompt.extra {
        changed |= if name == "functions" { descriptions(value, visit)? } else { strings(value, visit)? };
    }
    Ok(changed)
}

fn message_texts(message: &mut Message, visit: &mut Visit<'_>) -> Result<bool> {
    let mut changed = false;
    if let Some(text) = &mut message.name {
        changed |= visit(Text { text, json: false })?;
    }
    match &mut message.content {
        Some(Content::Text(text)) => changed |= visit(Text { text, json: false })?,
        Some(Content::Parts(parts)) => {
            for part in parts {
                changed |= part_texts(part, visit)?;
            }
        }
        None => {}
    }
    for call in &mut message.tool_calls {
        if let Some(function) = &mut call.function {
            changed |= visit(Text { text: &mut function.arguments, json: true })?;
        }
        changed |= fields(&mut call.extra, visit)?;
    }
    Ok(changed | fields(&mut message.extra, visit)?)
}

fn part_texts(part: &mut Part, visit: &mut Visit<'_>) -> Result<bool> {
    match part {
        Part::Text { text, extra } => Ok(visit(Text { text, json: false })? | fields(extra, visit)?),
        Part::ImageUrl { extra, .. } => fields(extra, visit),
        Part::File { file, extra } => Ok(strings(file, visit)? | fields(extra, visit)?),
        Part::Other(value) => strings(value, visit),
    }
}

/// All texts in a value.
fn strings(value: &mut Value, visit: &mut Visit<'_>) -> Result<bool> {
    match value {
        Value::String(text) => visit(Text { text, json: false }),
        Value::Array(items) => items.iter_mut().try_fold(false, |changed, item| Ok(changed | strings(item, visit)?)),
        Value::Object(own) => fields(own, visit),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(false),
    }
}

fn fields(own: &mut crate::llm::Fields, visit: &mut Visit<'_>) -> Result<bool> {
    let mut changed = false;
    for (_, value) in own.iter_mut().filter(|(name, _)| !OPAQUE.contains(&name.as_str())) {
        changed |= strings(value, visit)?;
    }
    if changed {
        // It is a signature of the text that was here.
        own.shift_remove("signature");
    }
    Ok(changed)
}

/// All descriptions in a value.
fn descriptions(value: &mut Value, visit: &mut Visit<'_>) -> Result<bool> {
    match value {
        Value::Array(items) => {
            items.iter_mut().try_fold(false, |changed, item| Ok(changed | descriptions(item, visit)?))
        }
        Value::Object(own) => own.iter_mut().try_fold(false, |changed, (name, value)| match value {
            Value::String(text) if name == "description" => Ok(changed | visit(Text { text, json: false })?),
            value => Ok(changed | descriptions(value, visit)?),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(false),
    }
}
