//! Images and sound, in Converse's words (Amazon Bedrock API reference, `ImageBlock`, `AudioBlock`). Bedrock fetches
//! nothing from the web, so all of it is in the request.

use serde::Serialize;
use serde_json::Value;

use crate::llm::{ProviderError, words::DataUrl};

/// An image or a sound.
#[derive(Debug, Serialize)]
pub(super) struct Media<'a> {
    format: &'static str,
    source: Source<'a>,
}

/// Data in base64.
#[derive(Debug, Serialize)]
pub(super) struct Source<'a> {
    pub(super) bytes: &'a str,
}

/// An image by its URL. `param` is where it stands in the request.
///
/// # Errors
/// `Unsupported` if the URL doesn't hold the image, or the image is of another format.
pub(super) fn image<'a>(url: &'a str, param: &str) -> Result<Media<'a>, ProviderError> {
    let Some(data) = DataUrl::parse(url) else {
        let message = "this model's provider fetches no images: give it as a `data:` URL in base64";
        return Err(ProviderError::unsupported(param, message));
    };
    let format = match data.media_type {
        "image/png" => "png",
        "image/jpeg" | "image/jpg" => "jpeg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => return Err(ProviderError::unsupported(param, "an image must be PNG, JPEG, GIF or WebP")),
    };
    Ok(Media { format, source: Source { bytes: data.base64 } })
}

/// Sound, as `OpenAI`'s `input_audio` has it.
///
/// # Errors
/// `Unsupported` if the data is missing or the format is unknown.
pub(super) fn audio<'a>(audio: &'a Value, param: &str) -> Result<Media<'a>, ProviderError> {
    let text = |name| audio.get(name).and_then(Value::as_str);
    let format = match text("format") {
        Some("wav") => "wav",
        Some("mp3") => "mp3",
        Some("aac") => "aac",
        Some("flac") => "flac",
        Some("ogg") => "ogg",
        Some("opus") => "opus",
        Some("pcm16") => "pcm",
        Some(_) | None => return Err(ProviderError::unsupported(param, "this format of sound is not supported")),
    };
    let bytes = text("data").ok_or_else(|| ProviderError::unsupported(param, "the sound has no data"))?;
    Ok(Media { format, source: Source { bytes } })
}
