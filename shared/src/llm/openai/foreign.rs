//! A prompt that its caller wrote in another format, in words that every server of chat completions knows. What only
//! helps (markers for the cache, thoughts of earlier turns, whether a tool failed) is left out; what would change the
//! answer is refused. A prompt of chat completions never comes here: it goes through as it is.

use serde_json::Value;

use crate::llm::{Content, Fields, Message, Prompt, ProviderError, Role, ToolCall, words};

mod parts;

/// Parameters that are the same in chat completions.
const SAME: [&str; 13] = [
    "top_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "parallel_tool_calls",
    "reasoning_effort",
    "verbosity",
    "user",
    "safety_identifier",
    "prompt_cache_key",
];

/// Parameters that change nothing about the answer, and that not every server knows.
const HINTS: [&str; 5] = ["metadata", "store", "stream_options", "cache_control", "thinking"];

/// The prompt in chat completions' words.
///
/// # Errors
/// `Unsupported` if they can't say it.
pub(super) fn translate(prompt: &Prompt) -> Result<Prompt, ProviderError> {
    if let Some(name) = prompt.untranslated.first() {
        return Err(not_said(name));
    }
    let messages = prompt.messages.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    Ok(Prompt {
        messages: parts::with_images_behind(messages.into_iter().flatten()),
        tools: prompt.tools.iter().map(tool).collect(),
        tool_choice: prompt.tool_choice.clone(),
        response_format: prompt.response_format.clone(),
        temperature: prompt.temperature,
        stop: prompt.stop.clone(),
        max_output: prompt.max_output,
        choices: prompt.choices,
        extra: extra(prompt)?,
        ..Prompt::default()
    })
}

fn not_said(name: &str) -> ProviderError {
    ProviderError::unsupported(name, format!("`{name}` can't be passed on to this model's provider"))
}

fn extra(prompt: &Prompt) -> Result<Fields, ProviderError> {
    let mut extra = Fields::new();
    for (name, value) in prompt.extra.iter().filter(|(_, value)| !value.is_null()) {
        if SAME.contains(&name.as_str()) {
            extra.insert(name.clone(), value.clone());
        } else if !HINTS.contains(&name.as_str()) {
            return Err(not_said(name));
        }
    }
    if let Some(effort) = prompt.extra.get("thinking").and_then(words::effort) {
        extra.entry("reasoning_effort").or_insert_with(|| effort.into());
    }
    Ok(extra)
}

/// A tool, with its own definition and nothing beside it.
fn tool(tool: &Value) -> Value {
    let kind = tool.get("type").and_then(Value::as_str).unwrap_or("function");
    let own = |(name, _): &(&String, &Value)| *name == "type" || *name == kind;
    let fields: Option<Fields> = tool
        .as_object()
        .map(|fields| fields.iter().filter(own).map(|(name, value)| (name.clone(), value.clone())).collect());
    fields.map_or_else(|| tool.clone(), Value::Object)
}

/// A message; `None` if nothing of it remains.
fn message(message: &Message) -> Result<Option<Message>, ProviderError> {
    let content = match &message.content {
        Some(Content::Parts(parts)) => {
            let parts = parts.iter().map(parts::part).collect::<Result<Vec<_>, _>>()?;
            parts::content(parts.into_iter().flatten().collect())
        }
        Some(text @ Content::Text(_)) => Some(text.clone()),
        None => None,
    };
    let empty = content.is_none() && message.tool_calls.is_empty();
    if empty && message.role != Role::Tool {
        return Ok(None);
    }
    let refusal = message.extra.get_key_value("refusal").filter(|(_, refusal)| !refusal.is_null());
    Ok(Some(Message {
        role: message.role.clone(),
        content,
        name: message.name.clone(),
        tool_calls: message.tool_calls.iter().map(call).collect(),
        tool_call_id: message.tool_call_id.clone(),
        extra: refusal.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
    }))
}

fn call(call: &ToolCall) -> ToolCall {
    let mut call = call.clone();
    call.extra.shift_remove("cache_control");
    call
}
