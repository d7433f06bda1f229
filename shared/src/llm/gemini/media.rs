//! Images, documents and sound, in Gemini's words (Gemini API, "File input methods").
//!
//! What a part costs is held by its kind, so its media type must be of that kind: a video given as an image would cost
//! more than was held. So is a page of `YouTube`, which Gemini watches.

use serde::Serialize;
use serde_json::Value;

use crate::llm::{ProviderError, words::DataUrl};

/// Data in the request itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'a> {
    mime_type: &'a str,
    /// In base64.
    data: &'a str,
}

/// Data that Gemini fetches.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'a> {
    mime_type: &'static str,
    file_uri: &'a str,
}

/// Either.
#[derive(Debug)]
pub(super) enum Media<'a> {
    Inline(Blob<'a>),
    File(FileData<'a>),
}

/// What a part is held as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Document,
}

impl Kind {
    fn holds(self, media_type: &str) -> bool {
        let major = media_type.split('/').next().unwrap_or_default();
        match self {
            Self::Image => major == "image",
            Self::Document => {
                matches!(major, "image" | "text") || matches!(media_type, "application/pdf" | "application/json")
            }
        }
    }
}

/// An image or a document by its URL. `param` is where it stands in the request.
///
/// # Errors
/// `Unsupported` if the URL is of a scheme or a media type that is not taken.
pub(super) fn by_url<'a>(kind: Kind, url: &'a str, param: &str) -> Result<Media<'a>, ProviderError> {
    let refused = |message: &str| Err(ProviderError::unsupported(param, message));
    if let Some(DataUrl { media_type, base64 }) = DataUrl::parse(url) {
        if !kind.holds(media_type) {
            return refused("this media type is not supported here");
        }
        return Ok(Media::Inline(Blob { mime_type: media_type, data: base64 }));
    }
    let Some(address) = reqwest::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "https" | "http")) else {
        return refused("an http(s) address or a `data:` URL in base64 is needed");
    };
    let host = address.host_str().unwrap_or_default();
    if is_youtube(host) {
        return refused("videos are not supported");
    }
    match media_type(address.path()).filter(|media_type| kind.holds(media_type)) {
        Some(mime_type) => Ok(Media::File(FileData { mime_type, file_uri: url })),
        None => refused(
            "this model's provider must be told the media type, which the end of this address doesn't show; \
             a `data:` URL does",
        ),
    }
}

fn is_youtube(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let is_of = |domain| host.strip_suffix(domain).is_some_and(|rest: &str| rest.is_empty() || rest.ends_with('.'));
    ["youtube.com", "youtu.be", "youtube-nocookie.com"].into_iter().any(is_of)
}

/// Sound, as `OpenAI`'s `input_audio` has it.
///
/// # Errors
/// `Unsupported` if the data is missing or the format is unknown.
pub(super) fn audio<'a>(audio: &'a Value, param: &str) -> Result<Blob<'a>, ProviderError> {
    let text = |name| audio.get(name).and_then(Value::as_str);
    let mime_type = match text("format") {
        Some("wav") => "audio/wav",
        Some("mp3") => "audio/mp3",
        Some("aiff") => "audio/aiff",
        Some("aac") => "audio/aac",
        Some("ogg") => "audio/ogg",
        Some("flac") => "audio/flac",
        Some(_) | None => return Err(ProviderError::unsupported(param, "this format of sound is not supported")),
    };
    let data = text("data").ok_or_else(|| ProviderError::unsupported(param, "the sound has no data"))?;
    Ok(Blob { mime_type, data })
}

/// The media type that a path's extension stands for.
fn media_type(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit('/').next()?.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "csv" => "text/csv",
        "xml" => "text/xml",
        "rtf" => "text/rtf",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(kind: Kind, url: &str) -> bool {
        by_url(kind, url, "p").is_ok()
    }

    #[test]
    fn an_image_is_held_as_an_image_only_if_it_is_one() {
        assert!(is_taken(Kind::Image, "data:image/png;base64,AA=="));
        assert!(is_taken(Kind::Image, "https://example.com/a/photo.JPG?size=2"));
        for url in [
            "data:video/mp4;base64,AA==",
            "data:application/pdf;base64,AA==",
            "https://example.com/clip.mp4",
            "https://example.com/photo",
            "https://www.youtube.com/watch/a.png",
            "https://youtu.be./a.png",
            "gs://bucket/a.png",
            "/etc/a.png",
        ] {
            assert!(!is_taken(Kind::Image, url), "{url}");
        }
    }

    #[test]
    fn a_document_is_no_sound_and_no_video() {
        assert!(is_taken(Kind::Document, "data:application/pdf;base64,AA=="));
        assert!(is_taken(Kind::Document, "data:text/markdown;base64,AA=="));
        assert!(!is_taken(Kind::Document, "data:audio/wav;base64,AA=="));
        assert!(!is_taken(Kind::Document, "data:video/mp4;base64,AA=="));
    }
}
