//! What the stand-in reads of a chat completion request.

use serde::Deserialize;

use crate::standin::body::Flaw;
use crate::standin::conversation::{Conversation, Speaker, Turn};

#[derive(Deserialize)]
struct ChatRequest {
    model: String,
    messages: Vec<Message>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Message {
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

/// Reads a request.
pub(in crate::standin) fn read(body: &[u8]) -> Result<Conversation, Flaw> {
    let request: ChatRequest = serde_json::from_slice(body).map_err(|error| Flaw::NotJson(error.to_string()))?;
    if request.messages.is_empty() {
        return Err(Flaw::Empty("messages".into()));
    }
    Ok(Conversation {
        model: request.model,
        turns: request.messages.into_iter().map(turn).collect(),
        limit: request.max_completion_tokens.or(request.max_tokens).unwrap_or(u64::MAX),
        streams: request.stream.unwrap_or(false),
        wants_usage: request.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
        ..Conversation::default()
    })
}

fn turn(message: Message) -> Turn {
    let speaker = match message.role.as_str() {
        "user" => Speaker::User,
        "tool" => Speaker::Tool,
        "assistant" => Speaker::Model,
        _ => Speaker::System,
    };
    let texts = match message.content {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![text],
        Some(Content::Parts(parts)) => parts.into_iter().filter_map(|part| part.text).collect(),
    };
    Turn { speaker, texts }
}
