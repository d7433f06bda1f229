//! What the stand-in reads of a chat completion request.

use serde::Deserialize;

use super::directives::Directives;

#[derive(Deserialize)]
pub(super) struct ChatRequest {
    pub model: String,
    pub messages: Vec<Message>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    role: String,
    content: Option<Content>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

impl ChatRequest {
    pub(super) fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false)
    }

    /// The most tokens that may be answered.
    pub(super) fn limit(&self) -> u64 {
        self.max_completion_tokens.or(self.max_tokens).unwrap_or(u64::MAX)
    }

    /// Words in all messages and three per message: never more than a prompt has bytes, on the wire.
    pub(super) fn prompt_tokens(&self) -> u64 {
        let words = |message: &Message| message.texts().map(|text| text.split_whitespace().count()).sum::<usize>() + 3;
        self.messages.iter().map(words).sum::<usize>() as u64
    }

    /// What the model's name and the last user message ask for.
    pub(super) fn directives(&self) -> Result<Directives, String> {
        let mut directives = Directives::default();
        directives.read(&self.model)?;
        if let Some(last) = self.last_prompt() {
            for text in self.messages[last].texts() {
                directives.read(text)?;
            }
        }
        Ok(directives)
    }

    /// The last user message's text, which names a failure that has no id.
    pub(super) fn prompt(&self) -> String {
        self.last_prompt().map(|last| self.messages[last].texts().collect()).unwrap_or_default()
    }

    /// Whether a tool has already answered the last user message; a model would not call it again.
    pub(super) fn has_tool_result(&self) -> bool {
        let after = self.last_prompt().map_or(0, |last| last + 1);
        self.messages[after..].iter().any(|message| message.role == "tool")
    }

    fn last_prompt(&self) -> Option<usize> {
        self.messages.iter().rposition(|message| message.role == "user")
    }
}

impl Message {
    fn texts(&self) -> impl Iterator<Item = &str> {
        let (text, parts) = match &self.content {
            None => (None, [].as_slice()),
            Some(Content::Text(text)) => (Some(text.as_str()), [].as_slice()),
            Some(Content::Parts(parts)) => (None, parts.as_slice()),
        };
        text.into_iter().chain(parts.iter().filter_map(|part| part.text.as_deref()))
    }
}
