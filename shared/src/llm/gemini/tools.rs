//! Tools and the choice among them, in Gemini's words (Gemini API, "Function calling").

use serde::Serialize;
use serde_json::Value;

use crate::llm::{
    Prompt, ProviderError,
    words::{Function, ToolChoice},
};

/// One entry of `tools`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tools<'a> {
    function_declarations: Vec<Declaration<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a Value>,
}

impl<'a> Tools<'a> {
    /// The tools of a prompt, if it has any.
    ///
    /// # Errors
    /// `Unsupported` if a tool is no function.
    pub(super) fn of(prompt: &'a Prompt) -> Result<Option<Self>, ProviderError> {
        let functions = Function::all(prompt)?;
        let declaration = |function: Function<'a>| Declaration {
            name: function.name,
            description: function.description,
            parameters_json_schema: function.parameters,
        };
        let declarations: Vec<_> = functions.into_iter().map(declaration).collect();
        Ok((!declarations.is_empty()).then_some(Self { function_declarations: declarations }))
    }
}

/// `toolConfig`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'a> {
    function_calling_config: FunctionCallingConfig<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCallingConfig<'a> {
    mode: Mode,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_function_names: Vec<&'a str>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Mode {
    /// Text, or a call that follows its schema: what `strict` asks for, and the only free choice among some functions.
    Validated,
    Any,
    None,
}

impl<'a> ToolConfig<'a> {
    /// The choice of a prompt; `None` for a free one among tools of which none is strict.
    ///
    /// # Errors
    /// `Unsupported` if the choice is one that LMO doesn't know, or a tool is no function.
    pub(super) fn of(prompt: &'a Prompt) -> Result<Option<Self>, ProviderError> {
        let strict = Function::all(prompt)?.iter().any(|function| function.strict);
        let (mode, allowed_function_names) = match ToolChoice::of(prompt)? {
            ToolChoice::Auto if strict => (Mode::Validated, Vec::new()),
            ToolChoice::Auto => return Ok(None),
            ToolChoice::None if prompt.tools.is_empty() => return Ok(None),
            ToolChoice::None => (Mode::None, Vec::new()),
            ToolChoice::Required => (Mode::Any, Vec::new()),
            ToolChoice::Function(name) => (Mode::Any, vec![name]),
            ToolChoice::Allowed { names, required: true } => (Mode::Any, names),
            ToolChoice::Allowed { names, required: false } => (Mode::Validated, names),
        };
        Ok(Some(Self { function_calling_config: FunctionCallingConfig { mode, allowed_function_names } }))
    }
}
