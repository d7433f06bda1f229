//! Tools, their choice and the answer's form: chat completions nest what this format has flat.

use serde_json::{Value, json};

use super::request::cant;
use crate::llm::{Fields, ProviderError};

/// The tools of a request.
///
/// # Errors
/// `Unsupported` for what is no function: the provider would run it at a price of its own, or it can't be said.
pub(super) fn write(tools: &[Value]) -> Result<Vec<Value>, ProviderError> {
    (0..).zip(tools).map(|(at, tool)| function(at, tool)).collect()
}

fn function(at: usize, tool: &Value) -> Result<Value, ProviderError> {
    let unknown = |name: &str| cant(format!("tools[{at}].{name}"));
    let inner = tool.get("function").and_then(Value::as_object).filter(|_| tool["type"] == "function");
    let inner = inner.ok_or_else(|| unknown("type"))?;
    // Where a prompt is cached is the provider's own decision.
    let outer = tool.as_object().into_iter().flatten();
    if let Some((name, _)) = outer.filter(|(_, value)| !value.is_null()).find(|(name, _)| !is_outer(name)) {
        return Err(unknown(name));
    }
    let mut flat = Fields::new();
    flat.insert("type".to_owned(), "function".into());
    for (name, value) in inner.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "name" | "description" | "parameters" | "strict" => drop(flat.insert(name.clone(), value.clone())),
            "cache_control" => {}
            _ => return Err(unknown(&format!("function.{name}"))),
        }
    }
    if !flat.contains_key("name") {
        return Err(ProviderError::unsupported(format!("tools[{at}].function.name"), "a function needs a name"));
    }
    flat.entry("parameters").or_insert_with(|| json!({"type": "object", "properties": {}}));
    // What isn't said means yes here, and no in chat completions.
    flat.entry("strict").or_insert(Value::Bool(false));
    Ok(flat.into())
}

fn is_outer(name: &str) -> bool {
    matches!(name, "type" | "function" | "cache_control")
}

/// Which tool must, may or mustn't be called.
///
/// # Errors
/// `Unsupported` for what is neither a word nor functions.
pub(super) fn choice(choice: &Value) -> Result<Value, ProviderError> {
    let unknown = || cant("tool_choice");
    if let Some(word) = choice.as_str() {
        return if matches!(word, "none" | "auto" | "required") { Ok(choice.clone()) } else { Err(unknown()) };
    }
    match choice.get("type").and_then(Value::as_str) {
        Some("function") => named(choice).ok_or_else(unknown),
        Some("allowed_tools") => {
            let allowed = choice.get("allowed_tools").ok_or_else(unknown)?;
            let tools = allowed.get("tools").and_then(Value::as_array).ok_or_else(unknown)?;
            let tools: Option<Vec<_>> = tools.iter().map(named).collect();
            let mode = allowed.get("mode").cloned().unwrap_or_else(|| "auto".into());
            Ok(json!({"type": "allowed_tools", "mode": mode, "tools": tools.ok_or_else(unknown)?}))
        }
        Some(_) | None => Err(unknown()),
    }
}

fn named(function: &Value) -> Option<Value> {
    let name = function.get("function")?.get("name")?.as_str()?;
    Some(json!({"type": "function", "name": name}))
}

/// The answer's form.
///
/// # Errors
/// `Unsupported` for what is neither text nor JSON.
pub(super) fn text_format(format: &Value) -> Result<Value, ProviderError> {
    let unknown = || cant("response_format");
    match format.get("type").and_then(Value::as_str) {
        Some("text" | "json_object") => Ok(format.clone()),
        Some("json_schema") => {
            let inner = format.get("json_schema").and_then(Value::as_object).ok_or_else(unknown)?;
            let mut flat = Fields::new();
            flat.insert("type".to_owned(), "json_schema".into());
            flat.extend(inner.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())));
            flat.entry("name").or_insert_with(|| "answer".into());
            Ok(flat.into())
        }
        Some(_) | None => Err(unknown()),
    }
}
