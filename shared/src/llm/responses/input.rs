//! A conversation to the items of `input`: a message of chat completions becomes an item for its text, one for each of
//! its calls, and one for what a model of this format reasoned before.

use serde_json::{Value, json};

use super::{reasoning, request::cant};
use crate::llm::{Content, Fields, Message, Part, ProviderError, Role, ToolCall};

/// The instructions, if the conversation begins with some in plain text, and the items of the others.
///
/// # Errors
/// `Unsupported`, with the path of what can't be said.
pub(super) fn write(messages: &[Message]) -> Result<(Option<String>, Vec<Value>), ProviderError> {
    let instructions = messages.first().and_then(instructions).map(str::to_owned);
    let mut items = Vec::with_capacity(messages.len());
    for (at, message) in messages.iter().enumerate().skip(usize::from(instructions.is_some())) {
        let place = Place { at, message };
        match &message.role {
            Role::System => items.push(place.said("system")?),
            Role::Developer => items.push(place.said("developer")?),
            Role::User => items.push(place.said("user")?),
            Role::Assistant => place.answered(&mut items)?,
            Role::Tool => items.push(place.result()?),
            Role::Other(_) => return Err(place.cant("role")),
        }
    }
    Ok((instructions, items))
}

fn instructions(message: &Message) -> Option<&str> {
    let plain = matches!(message.role, Role::System | Role::Developer) && message.name.is_none();
    match &message.content {
        Some(Content::Text(text)) if plain && message.extra.is_empty() => Some(text),
        Some(_) | None => None,
    }
}

/// A message and where it is.
struct Place<'a> {
    at: usize,
    message: &'a Message,
}

impl Place<'_> {
    fn cant(&self, what: &str) -> ProviderError {
        cant(format!("messages[{}].{what}", self.at))
    }

    /// A message that isn't the model's.
    fn said(&self, role: &str) -> Result<Value, ProviderError> {
        self.check_name()?;
        self.check_extra(&self.message.extra, |name| name == "cache_control")?;
        Ok(json!({"type": "message", "role": role, "content": self.content()?}))
    }

    /// The result of a call. That a tool failed is said by its text.
    fn result(&self) -> Result<Value, ProviderError> {
        self.check_extra(&self.message.extra, |name| matches!(name, "cache_control" | "is_error"))?;
        let call = self.message.tool_call_id.as_deref().ok_or_else(|| self.cant("tool_call_id"))?;
        Ok(json!({"type": "function_call_output", "call_id": call, "output": self.content()?}))
    }

    fn content(&self) -> Result<Value, ProviderError> {
        Ok(match &self.message.content {
            Some(Content::Text(text)) => text.as_str().into(),
            Some(Content::Parts(parts)) => {
                parts.iter().enumerate().map(|(at, part)| self.part(at, part)).collect::<Result<Vec<_>, _>>()?.into()
            }
            None => "".into(),
        })
    }

    fn part(&self, at: usize, part: &Part) -> Result<Value, ProviderError> {
        let unknown = || self.cant(&format!("content[{at}]"));
        let (wire, extra) = match part {
            Part::Text { text, extra } => (json!({"type": "input_text", "text": text}), extra),
            Part::ImageUrl { image_url, extra } => {
                let url = part.image().ok_or_else(unknown)?;
                let detail = image_url.get("detail").filter(|detail| !detail.is_null()).cloned();
                let detail = detail.unwrap_or_else(|| "auto".into());
                (json!({"type": "input_image", "image_url": url, "detail": detail}), extra)
            }
            Part::File { file, extra } => (document(file).ok_or_else(unknown)?, extra),
            Part::Other(_) => return Err(unknown()),
        };
        self.check_extra(extra, |name| name == "cache_control")?;
        Ok(wire)
    }

    /// What the model said before: its reasoning, its text and its calls. What another provider sealed of its thoughts
    /// is of no use to this one.
    fn answered(&self, items: &mut Vec<Value>) -> Result<(), ProviderError> {
        self.check_name()?;
        self.check_extra(&self.message.extra, |name| {
            let thoughts = matches!(name, "reasoning" | "reasoning_content" | "thinking_blocks" | "extra_content");
            thoughts || matches!(name, "cache_control" | "refusal" | "annotations")
        })?;
        let brought = self.message.extra.get("thinking_blocks").and_then(Value::as_array);
        for block in brought.into_iter().flatten() {
            items.extend(reasoning::item(block));
        }
        let mut content = Vec::new();
        let parts = match &self.message.content {
            Some(Content::Text(text)) if text.is_empty() => &[],
            Some(Content::Text(text)) => {
                content.push(json!({"type": "output_text", "text": text}));
                &[]
            }
            Some(Content::Parts(parts)) => parts.as_slice(),
            None => &[],
        };
        for part in parts {
            match part {
                Part::Text { text, extra } => {
                    self.check_extra(extra, |name| matches!(name, "cache_control" | "annotations"))?;
                    content.push(json!({"type": "output_text", "text": text}));
                }
                Part::Other(value) if value["type"] == "refusal" => content.push(value.clone()),
                Part::Other(value) if value["type"] == "thinking" || value["type"] == "redacted_thinking" => {
                    items.extend(reasoning::item(value));
                }
                Part::Other(_) | Part::ImageUrl { .. } | Part::File { .. } => return Err(self.cant("content")),
            }
        }
        if let Some(refusal) = self.message.extra.get("refusal").and_then(Value::as_str) {
            content.push(json!({"type": "refusal", "refusal": refusal}));
        }
        if !content.is_empty() {
            items.push(json!({"type": "message", "role": "assistant", "content": content}));
        }
        for call in &self.message.tool_calls {
            items.push(self.call(call)?);
        }
        Ok(())
    }

    /// A call. What other providers mark their calls with means nothing here.
    fn call(&self, call: &ToolCall) -> Result<Value, ProviderError> {
        let function = call.function.as_ref().ok_or_else(|| self.cant("tool_calls"))?;
        Ok(json!({
            "type": "function_call", "call_id": call.id, "name": function.name, "arguments": function.arguments,
        }))
    }

    fn check_name(&self) -> Result<(), ProviderError> {
        if self.message.name.is_some() { Err(self.cant("name")) } else { Ok(()) }
    }

    fn check_extra(&self, extra: &Fields, known: fn(&str) -> bool) -> Result<(), ProviderError> {
        let mut said = extra.iter().filter(|(_, value)| !value.is_null());
        said.find(|(name, _)| !known(name)).map_or(Ok(()), |(name, _)| Err(self.cant(name)))
    }
}

/// A document; `None` if it isn't here, but in the operator's account.
fn document(file: &Value) -> Option<Value> {
    let field = |name| file.get(name).and_then(Value::as_str);
    let known = |name: &str| matches!(name, "file_data" | "file_url" | "filename");
    let mut said = file.as_object()?.iter().filter(|(_, value)| !value.is_null());
    if !said.all(|(name, _)| known(name)) {
        return None;
    }
    let Some(data) = field("file_data") else {
        return Some(json!({"type": "input_file", "file_url": field("file_url")?}));
    };
    // Data must have a name, and its ending says what it is.
    let name =
        field("filename").unwrap_or(if data.starts_with("data:text/") { "document.txt" } else { "document.pdf" });
    Some(json!({"type": "input_file", "filename": name, "file_data": data}))
}
