//! The content of a message or of a tool's result, in chat completions' parts.

use lmo_shared::{
    error::Result,
    llm::{Content, Fields, Part},
};
use serde_json::{Value, json};

use super::object::{Object, must_be};

/// Reads a text or a list of parts. The paths of what chat completions can't say are added to `untranslated`.
pub(super) fn read(path: &str, content: &Value, untranslated: &mut Vec<String>) -> Result<Content> {
    match content {
        Value::String(text) => Ok(Content::Text(text.clone())),
        Value::Array(parts) => {
            let part = |(at, part)| read_part(&Object::at(format!("{path}[{at}]"), part)?, untranslated);
            Ok(Content::Parts(parts.iter().enumerate().map(part).collect::<Result<_>>()?))
        }
        _ => Err(must_be(path.to_owned(), "a string or a list")),
    }
}

fn read_part(part: &Object<'_>, untranslated: &mut Vec<String>) -> Result<Part> {
    match part.needed("type")? {
        "input_text" => {
            let extra = rest(part, &["type", "text"], untranslated);
            Ok(Part::Text { text: part.needed("text")?.to_owned(), extra })
        }
        // What the answer said of its text beside it is nothing to be asked.
        "output_text" => {
            let extra = rest(part, &["type", "text", "annotations", "logprobs", "parsed"], untranslated);
            Ok(Part::Text { text: part.needed("text")?.to_owned(), extra })
        }
        "refusal" => Ok(Part::Other(json!({"type": "refusal", "refusal": part.needed("refusal")?}))),
        "input_image" => {
            let mut image = Fields::new();
            image.insert("url".to_owned(), address(part, "image_url")?.into());
            image.extend(part.text("detail")?.map(|detail| ("detail".to_owned(), detail.into())));
            let extra = rest(part, &["type", "image_url", "detail", "file_id"], untranslated);
            Ok(Part::ImageUrl { image_url: image.into(), extra })
        }
        "input_file" => read_file(part, untranslated),
        "input_audio" => {
            let audio = part.object("input_audio")?.ok_or_else(|| part.refused("input_audio", "is needed"))?;
            let (data, format) = (audio.needed("data")?, audio.needed("format")?);
            Ok(Part::Other(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})))
        }
        kind => Err(part.refused("type", &format!("is {kind}, which is not supported"))),
    }
}

fn read_file(part: &Object<'_>, untranslated: &mut Vec<String>) -> Result<Part> {
    let mut file = Fields::new();
    for name in ["filename", "file_data", "file_url"] {
        file.extend(part.text(name)?.map(|text| (name.to_owned(), text.into())));
    }
    if !file.contains_key("file_data") {
        address(part, "file_url")?;
    }
    let mut extra = rest(part, &["type", "filename", "file_data", "file_url", "file_id", "detail"], untranslated);
    if let Some(detail) = part.text("detail")?.filter(|detail| *detail != "auto") {
        untranslated.push(part.path("detail"));
        extra.insert("detail".to_owned(), detail.into());
    }
    Ok(Part::File { file: file.into(), extra })
}

/// An address or a data URL. Files of the provider are the operator's, not this client's.
fn address<'a>(part: &Object<'a>, name: &str) -> Result<&'a str> {
    match part.get("file_id") {
        Some(_) => {
            Err(part.refused("file_id", &format!("is not supported: LMO keeps no files; send {name} or file_data")))
        }
        None => part.needed(name),
    }
}

/// What else a part says: where the provider's cache may end, in the words that most know, and the unknown as it is.
fn rest(part: &Object<'_>, known: &'static [&'static str], untranslated: &mut Vec<String>) -> Fields {
    let mut extra = Fields::new();
    for (name, value) in part.others(known) {
        if name == "prompt_cache_breakpoint" {
            extra.insert("cache_control".to_owned(), json!({"type": "ephemeral"}));
        } else {
            untranslated.push(part.path(name));
            extra.insert(name.clone(), value.clone());
        }
    }
    extra
}
