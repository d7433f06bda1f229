//! Further parameters of chat completions in this format's words.

use serde_json::{Value, json};

use super::request::cant;
use crate::llm::{Fields, ProviderError, words};

/// Adds a parameter, which is not null, to the body.
///
/// # Errors
/// `Unsupported` if the format has no words for it, or if it could cost more than the output limit says.
pub(super) fn write(body: &mut Fields, name: &str, value: &Value) -> Result<(), ProviderError> {
    match name {
        "top_p" | "top_logprobs" | "user" | "metadata" | "safety_identifier" | "prompt_cache_key" => {
            body.insert(name.to_owned(), value.clone());
        }
        // Without tools there is nothing to be parallel.
        "parallel_tool_calls" if body.contains_key("tools") => {
            body.insert(name.to_owned(), value.clone());
        }
        "reasoning_effort" => {
            body.insert("reasoning".to_owned(), json!({"effort": value}));
            // Whoever sets an effort has a model that reasons; others refuse to seal what they reasoned.
            include(body, "reasoning.encrypted_content");
        }
        // An effort that is given besides says it better.
        "thinking" if !is_idle(name, value) && !body.contains_key("reasoning") => match words::effort(value) {
            Some(effort) => write(body, "reasoning_effort", &effort.into())?,
            None => return Err(cant(name)),
        },
        "thinking" => {}
        "verbosity" => {
            let text = body.entry("text").or_insert_with(|| json!({}));
            text[name] = value.clone();
        }
        "logprobs" if *value == true => include(body, "message.output_text.logprobs"),
        _ if is_idle(name, value) => {}
        _ => return Err(cant(name)),
    }
    Ok(())
}

/// Whether a parameter says what holds without it, or is a hint that LMO sees to.
fn is_idle(name: &str, value: &Value) -> bool {
    match name {
        "store" | "stream_options" | "prompt_cache_retention" | "parallel_tool_calls" | "cache_control" => true,
        "logprobs" => *value == false,
        "service_tier" => value == "auto" || value == "default",
        "modalities" => *value == json!(["text"]),
        "frequency_penalty" | "presence_penalty" => value.as_f64() == Some(0.0),
        "logit_bias" => *value == json!({}),
        // The model decides by itself how much it thinks; how little is said by the effort.
        "thinking" => value.get("type").is_some_and(|kind| kind == "adaptive" || kind == "disabled"),
        _ => false,
    }
}

fn include(body: &mut Fields, what: &str) {
    let list = body.entry("include").or_insert_with(|| json!([]));
    if let Value::Array(list) = list {
        list.retain(|other| other != what);
        list.push(what.into());
    }
}
