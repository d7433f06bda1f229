//! The messages of a conversation, as `OpenAI`'s chat completions have them. They are read from requests and written to
//! providers; what LMO doesn't know goes through unchanged.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Fields;

/// One message of a conversation, as in `OpenAI`'s chat completions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said. Written as `null` if there is nothing, as some servers want the field to be there.
    #[serde(default)]
    pub content: Option<Content>,
    /// The speaker's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The assistant's calls of tools.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Which call a tool's message answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Fields that LMO doesn't interpret (`refusal`, `reasoning_content`, `cache_control`).
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties)]
    pub extra: Fields,
}

impl Message {
    /// A message of plain text.
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            content: Some(Content::Text(text.into())),
            name: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            extra: Fields::new(),
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions.
    System,
    /// Instructions, in the word that reasoning models use.
    Developer,
    /// The end user.
    User,
    /// The model.
    Assistant,
    /// The result of a tool.
    Tool,
    /// A role that LMO doesn't know.
    #[serde(untagged)]
    Other(String),
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Text, images and other parts in their order.
    Parts(Vec<Part>),
}

impl Content {
    /// All of its text, parts joined without a separator.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Part::Text { text, .. } => Some(text.as_str()),
                    Part::ImageUrl { .. } | Part::File { .. } | Part::Other(_) => None,
                })
                .collect(),
        }
    }
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// Fields that LMO doesn't interpret (`cache_control`).
        #[serde(flatten)]
        extra: Fields,
    },
    /// An image, as an address or as a `data:` URL.
    ImageUrl {
        /// `{"url": ..., "detail": ...}`, or, in some dialects, the URL alone.
        image_url: Value,
        /// Fields that LMO doesn't interpret.
        #[serde(flatten)]
        extra: Fields,
    },
    /// A document.
    File {
        /// `{"file_data": "data:application/pdf;base64,...", "filename": ...}`, or `{"file_url": ...}`, which only some
        /// providers take, or `{"file_id": ...}`, which is the provider's own.
        file: Value,
        /// Fields that LMO doesn't interpret.
        #[serde(flatten)]
        extra: Fields,
    },
    /// A part that LMO doesn't know, as it was given.
    #[serde(untagged)]
    Other(Value),
}

impl Part {
    /// The image's address or `data:` URL; `None` if this is no image or names none.
    #[must_use]
    pub fn image(&self) -> Option<&str> {
        match self {
            Self::ImageUrl { image_url, .. } => image_url.as_str().or_else(|| image_url.get("url")?.as_str()),
            Self::Text { .. } | Self::File { .. } | Self::Other(_) => None,
        }
    }
}

/// A call of a tool that the assistant made earlier in the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolCall {
    /// The call's id, which the tool's message refers to.
    #[serde(default)]
    pub id: String,
    /// `function`, or a kind that LMO doesn't know, whose fields are in `extra`.
    #[serde(rename = "type", default = "function")]
    pub kind: String,
    /// What was called, if it was a function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionCall>,
    /// Fields that LMO doesn't interpret.
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties)]
    pub extra: Fields,
}

impl ToolCall {
    /// A call of a function; `arguments` is JSON text.
    #[must_use]
    pub fn function(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        let call = FunctionCall { name: name.into(), arguments: arguments.into(), extra: Fields::new() };
        Self { id: id.into(), kind: function(), function: Some(call), extra: Fields::new() }
    }
}

/// A function and what it was called with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FunctionCall {
    /// The function's name.
    pub name: String,
    /// JSON text, as the model wrote it: it may not be valid.
    #[serde(default)]
    pub arguments: String,
    /// Fields that LMO doesn't interpret.
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties)]
    pub extra: Fields,
}

fn function() -> String {
    "function".to_owned()
}

/// Reads `null`, which clients write for an empty list, as one.
fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(source: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(source)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
