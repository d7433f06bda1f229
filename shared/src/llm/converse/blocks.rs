//! One block of a turn, and what a message's content is in blocks (Amazon Bedrock API reference, `ContentBlock`).

use serde::Serialize;
use serde_json::Value;

use super::{
    documents::{Document, Names},
    media::{self, Media},
};
use crate::llm::{Content, Fields, Message, Part, ProviderError, responses::reasoning::holds_item};

/// A block of a turn.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Block<'a> {
    Text(&'a str),
    Image(Media<'a>),
    Audio(Media<'a>),
    Document(Document<'a>),
    ReasoningContent(Reasoning<'a>),
    ToolUse(ToolUse<'a>),
    ToolResult(ToolResult<'a>),
    CachePoint(CachePoint),
}

/// What the model thought.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reasoning<'a> {
    /// In words, which are given back only with their signature: what isn't signed is another model's.
    ReasoningText { text: &'a str, signature: &'a str },
    /// Encrypted.
    RedactedContent(&'a str),
}

/// A call that the model made.
#[derive(Debug, Serialize)]
pub(super) struct ToolUse<'a> {
    #[serde(rename = "toolUseId")]
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) input: Fields,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct ToolResult<'a> {
    /// The call's.
    #[serde(rename = "toolUseId")]
    pub(super) id: &'a str,
    pub(super) content: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
}

/// The prompt is worth keeping up to here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct CachePoint {
    r#type: &'static str,
    /// For how long, if not for five minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl CachePoint {
    /// From Anthropic's `cache_control`, if there is one. `param` is where it stands in the request.
    ///
    /// # Errors
    /// `Unsupported` if it is for a time that can't be had.
    pub(super) fn of(control: Option<&Value>, param: &str) -> Result<Option<Self>, ProviderError> {
        let Some(control) = control.filter(|control| !control.is_null()) else { return Ok(None) };
        let ttl = match control.get("ttl").map(Value::as_str) {
            None | Some(Some("5m")) => None,
            Some(Some("1h")) => Some("1h"),
            Some(Some(_) | None) => {
                let param = format!("{param}.ttl");
                return Err(ProviderError::unsupported(param, "a prompt can be kept for `5m` or `1h`"));
            }
        };
        Ok(Some(Self { r#type: "default", ttl }))
    }
}

/// The content of message number `at`, without empty texts, which Bedrock refuses.
///
/// # Errors
/// `Unsupported` if it has something that can't be said.
pub(super) fn blocks<'a>(message: &'a Message, at: usize, names: &mut Names) -> Result<Vec<Block<'a>>, ProviderError> {
    let mut blocks = Vec::new();
    match &message.content {
        None => {}
        Some(Content::Text(text)) => blocks.extend((!text.is_empty()).then_some(Block::Text(text))),
        Some(Content::Parts(parts)) => {
            for (place, part) in parts.iter().enumerate() {
                let param = format!("messages[{at}].content[{place}]");
                if let Some(block) = block(part, &param, names)? {
                    blocks.push(block);
                    let point = CachePoint::of(cache_control(part), &format!("{param}.cache_control"))?;
                    blocks.extend(point.map(Block::CachePoint));
                }
            }
        }
    }
    Ok(blocks)
}

fn cache_control(part: &Part) -> Option<&Value> {
    match part {
        Part::Text { extra, .. } | Part::ImageUrl { extra, .. } | Part::File { extra, .. } => {
            extra.get("cache_control")
        }
        Part::Other(value) => value.get("cache_control"),
    }
}

fn block<'a>(part: &'a Part, param: &str, names: &mut Names) -> Result<Option<Block<'a>>, ProviderError> {
    match part {
        Part::Text { text, .. } => Ok((!text.is_empty()).then_some(Block::Text(text))),
        Part::ImageUrl { .. } => {
            let param = format!("{param}.image_url");
            let url = part.image().ok_or_else(|| ProviderError::unsupported(&param, "the image has no URL"))?;
            Ok(Some(Block::Image(media::image(url, &param)?)))
        }
        Part::File { file, .. } => Ok(Some(Block::Document(Document::of(file, &format!("{param}.file"), names)?))),
        Part::Other(value) => match value.get("type").and_then(Value::as_str) {
            Some("refusal") => Ok(value.get("refusal").and_then(Value::as_str).map(Block::Text)),
            Some("thinking" | "redacted_thinking") => Ok(reasoning(value, None).map(Block::ReasoningContent)),
            Some("input_audio") => {
                let audio = value.get("input_audio").unwrap_or(&Value::Null);
                Ok(Some(Block::Audio(media::audio(audio, &format!("{param}.input_audio"))?)))
            }
            Some(kind) => {
                let message = format!("this model's provider doesn't take parts of type `{kind}`");
                Err(ProviderError::unsupported(format!("{param}.type"), message))
            }
            None => Err(ProviderError::unsupported(format!("{param}.type"), "a part needs a type")),
        },
    }
}

/// What a model thought, from one of Anthropic's thinking blocks, whose `text` may be elsewhere or be kept back; `None`
/// if it isn't signed, or if a provider of Responses sealed it.
pub(super) fn reasoning<'a>(block: &'a Value, text: Option<&'a str>) -> Option<Reasoning<'a>> {
    let field = |name| block.get(name).and_then(Value::as_str);
    if let Some(data) = field("data") {
        return (!holds_item(block)).then_some(Reasoning::RedactedContent(data));
    }
    let signature = field("signature").filter(|signature| !signature.is_empty())?;
    let own = field("thinking");
    let text = own.filter(|own| !own.is_empty()).or(text).or(own)?;
    Some(Reasoning::ReasoningText { text, signature })
}
