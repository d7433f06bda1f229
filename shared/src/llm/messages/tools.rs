//! Tools and which of them to call ("Tool use").

use serde_json::{Value, json};

use super::parameters::given;
use crate::llm::{Fields, Prompt, ProviderError};

/// What stands beside `function` and has a place in a tool of Messages.
const BESIDE: [&str; 3] = ["cache_control", "input_examples", "eager_input_streaming"];

/// A tool.
pub(super) fn tool(tool: &Value) -> Result<Value, ProviderError> {
    let refused = |message: &str| ProviderError::unsupported("tools", message);
    if tool.get("type").is_some_and(|kind| kind != "function") {
        return Err(refused("this model takes only tools of type `function`"));
    }
    let function = tool.get("function").ok_or_else(|| refused("a tool needs a `function`"))?;
    let name = function.get("name").and_then(Value::as_str).ok_or_else(|| refused("a function needs a `name`"))?;
    let mut wire = Fields::new();
    wire.insert("name".to_owned(), name.into());
    let mut copy = |from: &Value, name: &str| {
        if let Some(value) = from.get(name).filter(|value| !value.is_null()) {
            wire.insert(name.to_owned(), value.clone());
        }
    };
    copy(function, "description");
    copy(function, "strict");
    for name in BESIDE {
        copy(tool, name);
    }
    wire.insert("input_schema".to_owned(), schema(function.get("parameters")));
    Ok(wire.into())
}

/// A function's parameters. Without any it still takes an object.
fn schema(parameters: Option<&Value>) -> Value {
    let mut schema = parameters.and_then(Value::as_object).cloned().unwrap_or_default();
    schema.entry("type").or_insert_with(|| "object".into());
    if schema.len() == 1 {
        schema.insert("properties".to_owned(), json!({}));
    }
    schema.into()
}

/// Which tool must, may or mustn't be called, and whether several at once.
pub(super) fn choice(prompt: &Prompt) -> Result<Option<Value>, ProviderError> {
    let refused = |message: &str| Err(ProviderError::unsupported("tool_choice", message));
    let asked = prompt.tool_choice.as_ref().filter(|asked| !asked.is_null());
    let one_at_a_time = given(prompt, "parallel_tool_calls").is_some_and(|parallel| parallel == false);
    let mut choice = match asked {
        None if one_at_a_time => json!({"type": "auto"}),
        None => return Ok(None),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => json!({"type": "auto"}),
            "none" => json!({"type": "none"}),
            "required" => json!({"type": "any"}),
            _ => return refused("tool_choice must be `auto`, `none`, `required` or a function"),
        },
        Some(asked) => match asked.get("function").and_then(|function| function.get("name")) {
            Some(name) if asked.get("type").is_none_or(|kind| kind == "function") => {
                json!({"type": "tool", "name": name})
            }
            Some(_) | None => return refused("this model can be told to call one function by its name, any, or none"),
        },
    };
    // The API wants no choice where there is nothing to choose from.
    if prompt.tools.is_empty() {
        let nothing = choice["type"] == "auto" || choice["type"] == "none";
        return if nothing { Ok(None) } else { refused("there is no tool to call") };
    }
    if one_at_a_time && choice["type"] != "none" {
        choice["disable_parallel_tool_use"] = true.into();
    }
    Ok(Some(choice))
}
