//! What the stand-in reads of a conversation, alike in all wire formats: a message that calls or answers tools counts as
//! the messages that chat completions would make of it, so that the same prompt has the same tokens everywhere.

use serde_json::{Map, Value};

use super::directives::Directives;

/// A request for an answer in words.
#[derive(Default)]
pub(super) struct Conversation {
    pub model: String,
    pub turns: Vec<Turn>,
    /// The most tokens that may be answered.
    pub limit: u64,
    pub streams: bool,
    pub wants_usage: bool,
    /// The first stop sequence.
    pub stop: Option<String>,
    /// The request's own fields, for formats whose answers repeat them.
    pub fields: Map<String, Value>,
}

/// One message, or one tool's result.
pub(super) struct Turn {
    pub speaker: Speaker,
    pub texts: Vec<String>,
}

/// Whose message it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    System,
    User,
    Model,
    Tool,
}

impl Conversation {
    /// Words in all messages and three per message: never more than a prompt has bytes, on the wire.
    pub(super) fn prompt_tokens(&self) -> u64 {
        let words = |turn: &Turn| turn.texts.iter().map(|text| text.split_whitespace().count()).sum::<usize>() + 3;
        self.turns.iter().map(words).sum::<usize>() as u64
    }

    /// What the model's name and the last user message ask for.
    pub(super) fn directives(&self) -> Result<Directives, String> {
        let mut directives = Directives::default();
        directives.read(&self.model)?;
        if let Some(last) = self.last_prompt() {
            for text in &self.turns[last].texts {
                directives.read(text)?;
            }
        }
        Ok(directives)
    }

    /// The last user message's text, which names a failure that has no id.
    pub(super) fn prompt(&self) -> String {
        self.last_prompt().map(|last| self.turns[last].texts.concat()).unwrap_or_default()
    }

    /// Whether a tool has already answered the last user message; a model would not call it again.
    pub(super) fn has_tool_result(&self) -> bool {
        let after = self.last_prompt().map_or(0, |last| last + 1);
        self.turns[after..].iter().any(|turn| turn.speaker == Speaker::Tool)
    }

    fn last_prompt(&self) -> Option<usize> {
        self.turns.iter().rposition(|turn| turn.speaker == Speaker::User)
    }
}

/// Adds a turn, unless it continues the model's own: some formats divide one message into several items.
pub(super) fn push_turn(turns: &mut Vec<Turn>, turn: Turn) {
    match turns.last_mut() {
        Some(last) if last.speaker == Speaker::Model && turn.speaker == Speaker::Model => {
            last.texts.extend(turn.texts);
        }
        Some(_) | None => turns.push(turn),
    }
}

/// The strings in a tool's result that is an object.
pub(super) fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
