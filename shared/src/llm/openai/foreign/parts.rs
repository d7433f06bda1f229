//! Parts of messages, in the words that every server of chat completions knows.

use serde_json::{Value, json};

use crate::llm::{Content, Fields, Message, Part, ProviderError, Role, data_url};

/// What a document is called that has no name; the API wants one.
const NAMELESS: &str = "document.pdf";

/// A part; `None` for a thought, which is of no use to another model.
pub(super) fn part(part: &Part) -> Result<Option<Part>, ProviderError> {
    Ok(match part {
        Part::Text { text, .. } if text.is_empty() => None,
        Part::Text { text, .. } => Some(as_text(text.clone())),
        Part::ImageUrl { image_url, .. } => Some(Part::ImageUrl { image_url: image_url.clone(), extra: Fields::new() }),
        Part::File { file, .. } => Some(document(file)?),
        Part::Other(other) => match other.get("type").and_then(Value::as_str) {
            Some("thinking" | "redacted_thinking") => None,
            Some("refusal" | "input_audio") => Some(part.clone()),
            kind => return Err(refused(&format!("content of type `{}`", kind.unwrap_or("none")))),
        },
    })
}

/// A message's parts. A single text needs no list; not every server takes one everywhere.
pub(super) fn content(mut parts: Vec<Part>) -> Option<Content> {
    match parts.pop()? {
        Part::Text { text, .. } if parts.is_empty() => Some(Content::Text(text)),
        last => {
            parts.push(last);
            Some(Content::Parts(parts))
        }
    }
}

/// Results of tools are text alone. Images and documents follow behind the last of the results that belong together, in
/// the user's name.
pub(super) fn with_images_behind(messages: impl Iterator<Item = Message>) -> Vec<Message> {
    let mut all = Vec::new();
    let mut behind = Vec::new();
    for mut message in messages {
        if message.role == Role::Tool {
            behind.extend(take_images(&mut message));
        } else {
            all.extend(of_user(&mut behind));
        }
        all.push(message);
    }
    all.extend(of_user(&mut behind));
    all
}

fn of_user(parts: &mut Vec<Part>) -> Option<Message> {
    let content = Content::Parts(std::mem::take(parts));
    (content != Content::Parts(Vec::new())).then(|| Message { content: Some(content), ..Message::text(Role::User, "") })
}

/// Takes whatever is not text out of a tool's message.
fn take_images(message: &mut Message) -> Vec<Part> {
    let parts = match message.content.take() {
        Some(Content::Parts(parts)) => parts,
        text => {
            message.content = text.or_else(|| Some(Content::Text(String::new())));
            return Vec::new();
        }
    };
    let (texts, mut others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| matches!(part, Part::Text { .. }));
    let id = message.tool_call_id.as_deref().unwrap_or_default();
    if !others.is_empty() {
        others.insert(0, as_text(format!("What tool call {id} returned:")));
    }
    message.content =
        content(texts).or_else(|| Some(Content::Text("It follows in the user's next message.".to_owned())));
    others
}

fn as_text(text: String) -> Part {
    Part::Text { text, extra: Fields::new() }
}

/// A document: a text is text here, and no server of this format gets one by its address.
fn document(file: &Value) -> Result<Part, ProviderError> {
    let field = |name: &str| file.get(name).and_then(Value::as_str);
    if let Some(data) = field("file_data") {
        if let Some((media_type, base64)) = data_url::split(data)
            && media_type.starts_with("text/")
        {
            let text = data_url::text(base64).ok_or_else(|| refused("a document of text that is not UTF-8"))?;
            return Ok(as_text(field("filename").map_or(text.clone(), |title| format!("{title}\n\n{text}"))));
        }
        let file = json!({"filename": field("filename").unwrap_or(NAMELESS), "file_data": data});
        return Ok(Part::File { file, extra: Fields::new() });
    }
    match field("file_id") {
        Some(id) => Ok(Part::File { file: json!({"file_id": id}), extra: Fields::new() }),
        None => Err(refused("a document by its address")),
    }
}

fn refused(what: &str) -> ProviderError {
    ProviderError::unsupported("messages", format!("{what} can't be passed on to this model's provider"))
}
