//! Tools and the choice among them (`OpenAI` API reference, "Chat", `tools` and `tool_choice`).

use serde_json::Value;

use crate::llm::{Fields, FunctionCall, Prompt, ProviderError};

/// A function that the model may call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::llm) struct Function<'a> {
    /// Its name.
    pub(in crate::llm) name: &'a str,
    /// What it does.
    pub(in crate::llm) description: Option<&'a str>,
    /// JSON Schema of its arguments; a function without has no arguments.
    pub(in crate::llm) parameters: Option<&'a Value>,
    /// Whether arguments must follow the schema to the letter.
    pub(in crate::llm) strict: bool,
    /// Anthropic's mark that the prompt is worth keeping up to here.
    pub(in crate::llm) cache_control: Option<&'a Value>,
}

impl<'a> Function<'a> {
    /// The functions of a prompt.
    ///
    /// # Errors
    /// `Unsupported` if a tool is none, as one that runs at the provider and has a price of its own.
    pub(in crate::llm) fn all(prompt: &'a Prompt) -> Result<Vec<Self>, ProviderError> {
        prompt.tools.iter().enumerate().map(|(at, tool)| Self::read(at, tool)).collect()
    }

    fn read(at: usize, tool: &'a Value) -> Result<Self, ProviderError> {
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or("function");
        if kind != "function" {
            let message = format!("tools of type `{kind}` are not supported, only functions");
            return Err(ProviderError::unsupported(format!("tools[{at}].type"), message));
        }
        let field = |name| tool.get("function")?.get(name).filter(|value: &&Value| !value.is_null());
        let name = field("name").and_then(Value::as_str);
        let nameless = || ProviderError::unsupported(format!("tools[{at}].function.name"), "a function needs a name");
        Ok(Self {
            name: name.ok_or_else(nameless)?,
            description: field("description").and_then(Value::as_str).filter(|text| !text.is_empty()),
            parameters: field("parameters"),
            strict: field("strict").and_then(Value::as_bool).unwrap_or(false),
            cache_control: tool.get("cache_control"),
        })
    }
}

/// Which functions the model may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::llm) enum ToolChoice<'a> {
    /// Any or none, as it likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one, for certain.
    Function(&'a str),
    /// Only some of those that are offered.
    Allowed {
        /// Their names.
        names: Vec<&'a str>,
        /// Whether it must call one of them.
        required: bool,
    },
}

impl<'a> ToolChoice<'a> {
    /// The choice of a prompt, `Auto` if it says nothing.
    ///
    /// # Errors
    /// `Unsupported` if it is one that LMO doesn't know.
    pub(in crate::llm) fn of(prompt: &'a Prompt) -> Result<Self, ProviderError> {
        let Some(choice) = &prompt.tool_choice else { return Ok(Self::Auto) };
        Self::read(choice).ok_or_else(|| {
            let known = "`auto`, `none`, `required`, a function, or `allowed_tools` that are functions";
            ProviderError::unsupported("tool_choice", format!("the choice of a tool must be {known}"))
        })
    }

    fn read(choice: &'a Value) -> Option<Self> {
        match choice {
            Value::Null => Some(Self::Auto),
            Value::String(word) => match word.as_str() {
                "auto" => Some(Self::Auto),
                "none" => Some(Self::None),
                "required" => Some(Self::Required),
                _ => None,
            },
            Value::Object(fields) => match fields.get("type")?.as_str()? {
                "function" => function_name(choice).map(Self::Function),
                "allowed_tools" => {
                    let allowed = fields.get("allowed_tools")?;
                    let names = allowed.get("tools")?.as_array()?.iter().map(function_name).collect::<Option<_>>()?;
                    let required = match allowed.get("mode")?.as_str()? {
                        "auto" => false,
                        "required" => true,
                        _ => return None,
                    };
                    Some(Self::Allowed { names, required })
                }
                _ => None,
            },
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        }
    }
}

fn function_name(tool: &Value) -> Option<&str> {
    tool.get("function")?.get("name")?.as_str()
}

/// The arguments of a call as an object; `None` if the model didn't write one.
pub(in crate::llm) fn arguments(call: &FunctionCall) -> Option<Fields> {
    let text = call.arguments.trim();
    if text.is_empty() { Some(Fields::new()) } else { serde_json::from_str(text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(choice: &Value) -> Option<ToolChoice<'_>> {
        ToolChoice::read(choice)
    }

    #[test]
    fn every_choice_is_read() {
        let one = json!({"type": "function", "function": {"name": "f"}});
        let some = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [one]}});
        assert_eq!(read(&json!("required")), Some(ToolChoice::Required));
        assert_eq!(read(&one), Some(ToolChoice::Function("f")));
        assert_eq!(read(&some), Some(ToolChoice::Allowed { names: vec!["f"], required: true }));
    }

    #[test]
    fn a_choice_of_another_kind_is_not_guessed() {
        for choice in [json!("any"), json!(1), json!({"type": "custom", "custom": {"name": "f"}}), json!({})] {
            assert_eq!(read(&choice), None, "{choice}");
        }
    }

    #[test]
    fn arguments_that_are_no_object_are_none() {
        let call = |arguments: &str| FunctionCall {
            name: "f".to_owned(),
            arguments: arguments.to_owned(),
            extra: Fields::new(),
        };
        assert_eq!(arguments(&call(" ")), Some(Fields::new()));
        assert_eq!(arguments(&call("[1]")), None);
        assert_eq!(arguments(&call("{\"a\":")), None);
    }
}
