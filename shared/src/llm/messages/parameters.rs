//! Parameters beside the conversation and its tools: what Messages can say of them, what is only a hint, and what has to
//! be refused.

use serde::Serialize;
use serde_json::{Value, json};

use crate::llm::{Prompt, ProviderError};

/// Parameters that have a place in a body of Messages.
const SAID: [&str; 7] =
    ["top_p", "top_k", "user", "reasoning_effort", "thinking", "parallel_tool_calls", "cache_control"];

/// Parameters that change nothing about the answer.
const HINTS: [&str; 5] = ["metadata", "store", "safety_identifier", "prompt_cache_key", "stream_options"];

/// The longest `metadata.user_id` (API reference).
const LONGEST_USER: usize = 256;

/// `metadata` of a body.
#[derive(Serialize)]
pub(super) struct Metadata<'a> {
    user_id: &'a str,
}

/// `output_config` of a body.
#[derive(Serialize)]
pub(super) struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Value>,
}

/// A further parameter, unless it is absent or null.
pub(super) fn given<'a>(prompt: &'a Prompt, name: &str) -> Option<&'a Value> {
    prompt.extra.get(name).filter(|value| !value.is_null())
}

/// Refuses what Messages can't say.
pub(super) fn check(prompt: &Prompt) -> Result<(), ProviderError> {
    if let Some(name) = prompt.untranslated.first() {
        return Err(not_said(name));
    }
    if prompt.choices != 1 {
        return Err(ProviderError::unsupported("n", "this model gives one answer to a request: n must be 1"));
    }
    if let Some((name, _)) = prompt.extra.iter().find(|(name, value)| !is_said(name, value)) {
        return Err(not_said(name));
    }
    if prompt.temperature.is_some_and(|temperature| !(0.0..=1.0).contains(&temperature)) {
        return Err(ProviderError::unsupported("temperature", "this model takes a temperature from 0 to 1"));
    }
    if prompt.stop.iter().any(|stop| stop.trim().is_empty()) {
        let message = "this model takes no stop text that is only white space";
        return Err(ProviderError::unsupported("stop", message));
    }
    Ok(())
}

fn not_said(name: &str) -> ProviderError {
    ProviderError::unsupported(name, format!("`{name}` can't be passed on to this model's provider"))
}

fn is_said(name: &str, value: &Value) -> bool {
    let says_nothing = match name {
        "frequency_penalty" | "presence_penalty" => value.as_f64() == Some(0.0),
        "logprobs" => value == false,
        "logit_bias" => value.as_object().is_some_and(serde_json::Map::is_empty),
        "modalities" => *value == json!(["text"]),
        "service_tier" => value == "auto" || value == "default",
        _ => value.is_null(),
    };
    says_nothing || SAID.contains(&name) || HINTS.contains(&name)
}

/// Refuses what a model that thinks doesn't take ("Extended thinking", feature compatibility).
pub(super) fn check_thinking(
    prompt: &Prompt,
    thinking: Option<&Value>,
    tool_choice: Option<&Value>,
) -> Result<(), ProviderError> {
    let is = |value: Option<&Value>, kinds: [&str; 2]| {
        value.and_then(|value| value.get("type")?.as_str()).is_some_and(|kind| kinds.contains(&kind))
    };
    if !is(thinking, ["enabled", "adaptive"]) {
        return Ok(());
    }
    if prompt.temperature.is_some_and(|temperature| temperature < 1.0) {
        return Err(ProviderError::unsupported("temperature", "with reasoning this model takes no temperature but 1"));
    }
    if is(tool_choice, ["any", "tool"]) {
        let message = "with reasoning this model can't be made to call a tool";
        return Err(ProviderError::unsupported("tool_choice", message));
    }
    Ok(())
}

/// The end user. An address of one would be refused, and who it is changes nothing.
pub(super) fn metadata(prompt: &Prompt) -> Option<Metadata<'_>> {
    let user = given(prompt, "user")?.as_str()?;
    (!user.is_empty() && user.len() <= LONGEST_USER && !user.contains('@')).then_some(Metadata { user_id: user })
}

/// `output_config`: the effort, and the schema of the answer ("Structured outputs").
pub(super) fn output_config<'a>(
    prompt: &'a Prompt,
    effort: Option<&'a str>,
) -> Result<Option<OutputConfig<'a>>, ProviderError> {
    let config = OutputConfig { effort, format: format(prompt.response_format.as_ref())? };
    Ok((config.effort.is_some() || config.format.is_some()).then_some(config))
}

fn format(asked: Option<&Value>) -> Result<Option<Value>, ProviderError> {
    let Some(asked) = asked.filter(|asked| !asked.is_null()) else { return Ok(None) };
    let refused = |message: &str| Err(ProviderError::unsupported("response_format", message));
    match asked.get("type").and_then(Value::as_str) {
        Some("text") => Ok(None),
        Some("json_schema") => match asked.get("json_schema").and_then(|named| named.get("schema")) {
            Some(schema) => Ok(Some(json!({"type": "json_schema", "schema": schema}))),
            None => refused("this model needs the schema in `response_format.json_schema.schema`"),
        },
        Some("json_object") => refused("this model answers in JSON only by a schema: use `json_schema`"),
        Some(_) | None => refused("this model takes a `response_format` of type `text` or `json_schema`"),
    }
}
