//! `response_format`: the form that an answer must have (`OpenAI` API reference, "Chat").

use serde_json::Value;

use crate::llm::{Prompt, ProviderError};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::llm) enum AnswerForm<'a> {
    /// Any text.
    Text,
    /// Any JSON object.
    Json,
    /// JSON after a schema.
    Schema {
        /// Its name.
        name: Option<&'a str>,
        /// What it is for.
        description: Option<&'a str>,
        /// JSON Schema.
        schema: &'a Value,
    },
}

impl<'a> AnswerForm<'a> {
    /// The form that a prompt asks for.
    ///
    /// # Errors
    /// `Unsupported` if it is one that LMO doesn't know.
    pub(in crate::llm) fn of(prompt: &'a Prompt) -> Result<Self, ProviderError> {
        let Some(format) = prompt.response_format.as_ref().filter(|format| !format.is_null()) else {
            return Ok(Self::Text);
        };
        match format.get("type").and_then(Value::as_str) {
            Some("text") => Ok(Self::Text),
            Some("json_object") => Ok(Self::Json),
            Some("json_schema") => {
                let text = |name| format.get("json_schema")?.get(name)?.as_str();
                let schema = format.get("json_schema").and_then(|form| form.get("schema"));
                let missing =
                    || ProviderError::unsupported("response_format.json_schema.schema", "a schema is missing");
                Ok(Self::Schema {
                    name: text("name"),
                    description: text("description"),
                    schema: schema.filter(|schema| schema.is_object()).ok_or_else(missing)?,
                })
            }
            Some(_) | None => Err(ProviderError::unsupported(
                "response_format.type",
                "the form of the answer must be `text`, `json_object` or `json_schema`",
            )),
        }
    }
}
