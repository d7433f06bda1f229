//! One part of a turn, and what a message's content is in parts (Gemini API reference, "Part").

use serde::Serialize;
use serde_json::Value;

use super::media::{self, Blob, FileData, Kind, Media};
use crate::llm::{Content, Fields, Message, Part as Given, ProviderError};

/// A part of a turn.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    /// What it holds.
    #[serde(flatten)]
    pub(super) payload: Payload<'a>,
    /// The signature that came with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought_signature: Option<&'a str>,
}

/// What a part holds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Payload<'a> {
    Text(&'a str),
    InlineData(Blob<'a>),
    FileData(FileData<'a>),
    FunctionCall(FunctionCall<'a>),
    FunctionResponse(FunctionResponse<'a>),
}

/// A call that the model made.
#[derive(Debug, Serialize)]
pub(super) struct FunctionCall<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) args: Fields,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct FunctionResponse<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) response: Fields,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<ResponsePart<'a>>,
}

/// An image that came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResponsePart<'a> {
    pub(super) inline_data: Blob<'a>,
}

impl<'a> From<Payload<'a>> for Part<'a> {
    fn from(payload: Payload<'a>) -> Self {
        Self { payload, thought_signature: None }
    }
}

impl<'a> From<Media<'a>> for Payload<'a> {
    fn from(media: Media<'a>) -> Self {
        match media {
            Media::Inline(blob) => Self::InlineData(blob),
            Media::File(file) => Self::FileData(file),
        }
    }
}

/// The content of message number `at`, without empty texts, which Gemini refuses.
///
/// # Errors
/// `Unsupported` if it has something that can't be said.
pub(super) fn parts(message: &Message, at: usize) -> Result<Vec<Part<'_>>, ProviderError> {
    match &message.content {
        None => Ok(Vec::new()),
        Some(Content::Text(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Content::Text(text)) => Ok(vec![Payload::Text(text).into()]),
        Some(Content::Parts(parts)) => {
            let read = |(place, given)| payload(given, &format!("messages[{at}].content[{place}]")).transpose();
            parts.iter().enumerate().filter_map(read).map(|payload| payload.map(Part::from)).collect()
        }
    }
}

fn payload<'a>(given: &'a Given, param: &str) -> Result<Option<Payload<'a>>, ProviderError> {
    match given {
        Given::Text { text, .. } => Ok((!text.is_empty()).then(|| Payload::Text(text))),
        Given::ImageUrl { .. } => {
            let param = format!("{param}.image_url");
            let url = given.image().ok_or_else(|| ProviderError::unsupported(&param, "the image has no URL"))?;
            Ok(Some(media::by_url(Kind::Image, url, &param)?.into()))
        }
        Given::File { file, .. } => {
            let param = format!("{param}.file");
            let url = file.get("file_data").or_else(|| file.get("file_url")).and_then(Value::as_str);
            let missing = || ProviderError::unsupported(&param, "only `file_data` and `file_url` are supported");
            Ok(Some(media::by_url(Kind::Document, url.ok_or_else(missing)?, &param)?.into()))
        }
        Given::Other(value) => match value.get("type").and_then(Value::as_str) {
            Some("refusal") => Ok(value.get("refusal").and_then(Value::as_str).map(Payload::Text)),
            Some("thinking" | "redacted_thinking") => Ok(None),
            Some("input_audio") => {
                let audio = value.get("input_audio").unwrap_or(&Value::Null);
                Ok(Some(Payload::InlineData(media::audio(audio, &format!("{param}.input_audio"))?)))
            }
            Some(kind) => {
                let message = format!("this model's provider doesn't take parts of type `{kind}`");
                Err(ProviderError::unsupported(format!("{param}.type"), message))
            }
            None => Err(ProviderError::unsupported(format!("{param}.type"), "a part needs a type")),
        },
    }
}
