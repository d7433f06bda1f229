//! Tools and the choice among them, in Converse's words (Amazon Bedrock API reference, `ToolConfiguration`).

use serde::Serialize;
use serde_json::{Value, json};

use super::blocks::CachePoint;
use crate::llm::{
    Prompt, ProviderError,
    words::{Function, ToolChoice},
};

/// `toolConfig`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'a> {
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Tool<'a> {
    ToolSpec(ToolSpec<'a>),
    CachePoint(CachePoint),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolSpec<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: InputSchema,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

#[derive(Debug, Serialize)]
struct InputSchema {
    json: Value,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Choice<'a> {
    Auto {},
    Any {},
    Tool { name: &'a str },
}

impl<'a> ToolConfig<'a> {
    /// That of a prompt, if it has tools that may be called.
    ///
    /// # Errors
    /// `Unsupported` if a tool is no function, or the choice is one that can't be said.
    pub(super) fn of(prompt: &'a Prompt) -> Result<Option<Self>, ProviderError> {
        let functions = Function::all(prompt)?;
        let (tools, tool_choice) = match ToolChoice::of(prompt)? {
            ToolChoice::Auto | ToolChoice::None if functions.is_empty() => return Ok(None),
            ToolChoice::Auto => (tools(&functions, |_| true)?, None),
            ToolChoice::None => return none(prompt),
            ToolChoice::Required => (tools(&functions, |_| true)?, Some(Choice::Any {})),
            ToolChoice::Function(name) => (tools(&functions, |_| true)?, Some(Choice::Tool { name })),
            // Those that aren't allowed are not offered.
            ToolChoice::Allowed { names, required } => {
                let choice = if required { Choice::Any {} } else { Choice::Auto {} };
                (tools(&functions, |name| names.contains(&name))?, Some(choice))
            }
        };
        Ok(Some(Self { tools, tool_choice }))
    }
}

/// Converse can't forbid a call: tools that mustn't be called are not offered, but a conversation that holds calls needs
/// the tools that they are of.
fn none<T>(prompt: &Prompt) -> Result<Option<T>, ProviderError> {
    if prompt.messages.iter().all(|message| message.tool_calls.is_empty()) {
        return Ok(None);
    }
    let message = "this model's provider can't forbid calls in a conversation that already has some";
    Err(ProviderError::unsupported("tool_choice", message))
}

fn tools<'a>(functions: &[Function<'a>], offered: impl Fn(&str) -> bool) -> Result<Vec<Tool<'a>>, ProviderError> {
    let mut tools = Vec::new();
    for (at, function) in functions.iter().enumerate().filter(|(_, function)| offered(function.name)) {
        tools.push(Tool::ToolSpec(ToolSpec {
            name: function.name,
            description: function.description,
            input_schema: InputSchema {
                json: function.parameters.cloned().unwrap_or_else(|| json!({"type": "object", "properties": {}})),
            },
            strict: function.strict,
        }));
        let point = CachePoint::of(function.cache_control, &format!("tools[{at}].cache_control"))?;
        tools.extend(point.map(Tool::CachePoint));
    }
    Ok(tools)
}
