//! Where images and documents are: in the request itself, or at an address ("Vision", "PDF support").

use serde_json::{Value, json};

use crate::llm::{Part, ProviderError, data_url};

/// The block of an image.
pub(super) fn image(part: &Part) -> Result<Value, ProviderError> {
    let url = part.image().ok_or_else(|| refused("an image needs a `url`"))?;
    let source = match data_url::split(url) {
        Some((media_type, data)) => json!({"type": "base64", "media_type": media_type, "data": data}),
        None => address(url)?,
    };
    Ok(json!({"type": "image", "source": source}))
}

/// The block of a document.
pub(super) fn document(file: &Value) -> Result<Value, ProviderError> {
    let field = |name: &str| file.get(name).and_then(Value::as_str);
    let source = match (field("file_data"), field("file_url")) {
        (Some(url), _) => within(url)?,
        (None, Some(url)) => address(url)?,
        (None, None) => return Err(refused("this model takes a document as `file_data` or `file_url` only")),
    };
    let mut block = json!({"type": "document", "source": source});
    if let Some(title) = field("filename") {
        block["title"] = title.into();
    }
    Ok(block)
}

fn within(url: &str) -> Result<Value, ProviderError> {
    let (media_type, data) =
        data_url::split(url).ok_or_else(|| refused("`file_data` must be a `data:` URL in base64"))?;
    if media_type == "application/pdf" {
        return Ok(json!({"type": "base64", "media_type": media_type, "data": data}));
    }
    if !media_type.starts_with("text/") {
        return Err(refused(format!("this model takes documents of PDF and text, not `{media_type}`")));
    }
    let text = data_url::text(data).ok_or_else(|| refused("a document of text must be UTF-8 in base64"))?;
    Ok(json!({"type": "text", "media_type": "text/plain", "data": text}))
}

fn address(url: &str) -> Result<Value, ProviderError> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(json!({"type": "url", "url": url}));
    }
    Err(refused("this model takes an `https:` address or a `data:` URL in base64"))
}

fn refused(message: impl Into<String>) -> ProviderError {
    ProviderError::unsupported("messages", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_documents_id_at_the_provider_is_refused() {
        assert!(document(&json!({"file_id": "file_1"})).is_err());
    }
}
