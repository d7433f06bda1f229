//! What is asked of a model, in the words of `OpenAI`'s chat completions, which all other client formats are translated
//! into. Whatever a caller gave that LMO doesn't know is kept, so that it reaches a provider of the same format as it
//! was; every other provider refuses what it can't say. How many tokens it
//! can have at most is `bound`'s business.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Content, Fields, Message, Native, Part, WireFormat};

/// A request to a model, without the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prompt {
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Tools that the model may call, each as `OpenAI`'s `tools[]` has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// Which tool must, may or mustn't be called, as `OpenAI`'s `tool_choice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
    /// The form of the answer, as `OpenAI`'s `response_format`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Value>,
    /// Sampling temperature, the provider's default if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Texts that end the answer; they aren't part of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// The most tokens that the caller wants for each choice; `None` leaves it to plan and model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// How many alternative answers (`n`).
    pub choices: u32,
    /// Further parameters, in chat completions' words: `top_p`, `seed`, `frequency_penalty`, `presence_penalty`,
    /// `logprobs`, `top_logprobs`, `logit_bias`, `parallel_tool_calls`, `reasoning_effort`, `verbosity`, `user`,
    /// `metadata`; `top_k`, as most servers call it; `thinking`, as Anthropic has it; or anything that LMO doesn't know.
    pub extra: Fields,
    /// The format that the caller wrote.
    pub origin: WireFormat,
    /// The caller's own words, for a provider of the same format; `None` if they are chat completions, or if something
    /// of the prompt was changed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<Box<Native>>,
    /// Parameters of the caller's format that this type has no words for: only `native` says them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untranslated: Vec<String>,
}

impl Default for Prompt {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            response_format: None,
            temperature: None,
            stop: Vec::new(),
            max_output: None,
            choices: 1,
            extra: Fields::new(),
            origin: WireFormat::ChatCompletions,
            native: None,
            untranslated: Vec::new(),
        }
    }
}

impl Prompt {
    /// A prompt of these messages and nothing else.
    #[must_use]
    pub fn new(messages: Vec<Message>) -> Self {
        Self { messages, ..Self::default() }
    }

    /// Whether the model must be able to call tools: some are offered, or the conversation already holds calls.
    #[must_use]
    pub fn needs_tools(&self) -> bool {
        !self.tools.is_empty() || self.messages.iter().any(|message| !message.tool_calls.is_empty())
    }

    /// Whether the model must be able to see: a message holds an image.
    #[must_use]
    pub fn needs_images(&self) -> bool {
        self.parts().any(|part| matches!(part, Part::ImageUrl { .. }))
    }

    /// Whether the model must be able to read documents: a message holds a file.
    #[must_use]
    pub fn needs_documents(&self) -> bool {
        self.parts().any(|part| matches!(part, Part::File { .. }))
    }

    /// The caller's own words, if they are of this format and still hold.
    #[must_use]
    pub fn native_of(&self, format: WireFormat) -> Option<&Fields> {
        self.native.as_deref().filter(|native| native.format == format).map(|native| &native.fields)
    }

    /// The type of the first part whose tokens can't be bounded by its bytes: a video, or anything that LMO
    /// doesn't know. A caller that holds `upper_bound` must refuse such a prompt.
    #[must_use]
    pub fn unbounded_part(&self) -> Option<&str> {
        self.parts().find_map(|part| match part {
            Part::Text { .. } | Part::ImageUrl { .. } | Part::File { .. } => None,
            Part::Other(value) => match value.get("type").and_then(Value::as_str) {
                Some("refusal" | "input_audio" | "thinking" | "redacted_thinking" | "search_result") => None,
                kind => Some(kind.unwrap_or("untyped")),
            },
        })
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.messages.iter().flat_map(|message| match &message.content {
            Some(Content::Parts(parts)) => parts.as_slice(),
            Some(Content::Text(_)) | None => &[],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_video_is_an_unbounded_part_and_a_text_is_not() {
        let read = |part: Value| -> Prompt {
            serde_json::from_value(json!({"messages": [{"role": "user", "content": [part]}]})).unwrap()
        };
        assert_eq!(read(json!({"type": "video_url", "video_url": {"url": "v"}})).unbounded_part(), Some("video_url"));
        assert_eq!(read(json!({"type": "text", "text": "hello"})).unbounded_part(), None);
    }
}
