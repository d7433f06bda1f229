//! How many tokens a prompt can have at most, without its tokeniser: the figure that is held before a model is called.
//! A byte-level tokeniser never makes more tokens than there are bytes, so bytes are the bound.

use std::io;

use serde::Serialize;

use super::{Content, Fields, Message, Part, Prompt, Role, ToolCall};
use crate::money::Tokens;

/// What a chat template adds to a message: begin, role, end of header, line break and end are 5 tokens in `ChatML` and
/// in Llama 3's headers; a `name` and a tokeniser's leading space take up to 2 more.
const MARKERS: u64 = 8;

/// Bytes per token of an estimate, which holds for English prose.
const BYTES_PER_TOKEN: u64 = 4;

/// The tokens of a text by rule of thumb, a quarter of its UTF-8 bytes, rounded up. Used only if a provider reports
/// nothing; never more than the bytes.
#[must_use]
pub fn estimate_tokens(text_bytes: u64) -> Tokens {
    Tokens(text_bytes.div_ceil(BYTES_PER_TOKEN))
}

impl Prompt {
    /// The most tokens that the prompt can have: the bytes of all its text, eight for each message, `per_image` for
    /// each image, `per_document` for each file, and the model's `overhead` (its own preamble, the header of the answer). JSON counts once more for
    /// each character of its structure, as templates print it indented. Saturates at `u64::MAX`.
    ///
    /// It holds only for prompts without an [`unbounded_part`](Self::unbounded_part).
    #[must_use]
    pub fn upper_bound(&self, overhead: Tokens, per_image: Tokens, per_document: Tokens) -> Tokens {
        let size = self.size();
        let images = size.images.saturating_mul(per_image.0);
        let documents = size.documents.saturating_mul(per_document.0);
        Tokens(size.bytes.saturating_add(images).saturating_add(documents).saturating_add(overhead.0))
    }

    /// The prompt's tokens by rule of thumb, images not counted. Never more than the upper bound.
    #[must_use]
    pub fn estimated_tokens(&self) -> Tokens {
        estimate_tokens(self.size().bytes)
    }

    fn size(&self) -> Size {
        let mut size = Size::default();
        self.messages.iter().for_each(|message| size.message(message));
        self.tools.iter().for_each(|tool| size.json(tool));
        self.tool_choice.iter().chain(&self.response_format).for_each(|value| size.json(value));
        size.fields(&self.extra);
        // What has no words of ours goes out in the caller's.
        let own = self.native.iter().flat_map(|native| &native.fields);
        own.filter(|(name, _)| self.untranslated.contains(name)).for_each(|(name, value)| size.field(name, value));
        size
    }
}

/// What is counted.
#[derive(Default)]
struct Size {
    bytes: u64,
    images: u64,
    documents: u64,
}

impl Size {
    fn message(&mut self, message: &Message) {
        self.add(MARKERS);
        if let Role::Other(role) = &message.role {
            self.text(role);
        }
        match &message.content {
            Some(Content::Text(text)) => self.text(text),
            Some(Content::Parts(parts)) => parts.iter().for_each(|part| self.part(part)),
            None => {}
        }
        message.name.iter().chain(&message.tool_call_id).for_each(|text| self.text(text));
        message.tool_calls.iter().for_each(|call| self.call(call));
        self.fields(&message.extra);
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text { text, extra } => {
                self.text(text);
                self.fields(extra);
            }
            Part::ImageUrl { image_url, extra } => {
                self.images = self.images.saturating_add(1);
                // The URL itself, mostly base64, is not text that a model reads.
                let others = image_url.as_object().into_iter().flatten().filter(|(name, _)| *name != "url");
                others.for_each(|(name, value)| self.field(name, value));
                self.fields(extra);
            }
            Part::File { file, extra } => {
                self.documents = self.documents.saturating_add(1);
                // The data, mostly base64, is not text that a model reads.
                let data = |name: &str| matches!(name, "file_data" | "file_url");
                let others = file.as_object().into_iter().flatten().filter(|(name, _)| !data(name));
                others.for_each(|(name, value)| self.field(name, value));
                self.fields(extra);
            }
            Part::Other(value) => self.json(value),
        }
    }

    fn call(&mut self, call: &ToolCall) {
        self.text(&call.id);
        self.text(&call.kind);
        if let Some(function) = &call.function {
            self.text(&function.name);
            // Counted as JSON: templates parse it and print it again.
            self.add(json_size(function.arguments.as_bytes()));
            self.fields(&function.extra);
        }
        self.fields(&call.extra);
    }

    fn fields(&mut self, fields: &Fields) {
        fields.iter().for_each(|(name, value)| self.field(name, value));
    }

    fn field(&mut self, name: &str, value: &impl Serialize) {
        // Two quotes, a colon and a comma.
        self.add(4);
        self.text(name);
        self.json(value);
    }

    fn json(&mut self, value: &impl Serialize) {
        // A sum can't fail to be written, and a JSON value can't fail to be serialised.
        let _ = serde_json::to_writer(&mut *self, value);
    }

    fn text(&mut self, text: &str) {
        self.add(length(text.as_bytes()));
    }

    fn add(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// Counts what is serialised instead of keeping it.
impl io::Write for Size {
    fn write(&mut self, json: &[u8]) -> io::Result<usize> {
        self.add(json_size(json));
        Ok(json.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn json_size(json: &[u8]) -> u64 {
    let structure = json.iter().filter(|byte| matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':')).count();
    length(json).saturating_add(u64::try_from(structure).unwrap_or(u64::MAX))
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
