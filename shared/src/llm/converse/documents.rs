//! Documents, and their names, which Bedrock wants to be plain and each only once (Amazon Bedrock API reference,
//! `DocumentBlock`).

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

use super::media::Source;
use crate::llm::{ProviderError, words::DataUrl};

/// The most characters of a name, with room for a number behind it.
const MAX_NAME: usize = 180;

/// A document.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    format: &'static str,
    name: String,
    source: Source<'a>,
}

impl<'a> Document<'a> {
    /// A `file` of chat completions. `param` is where it stands in the request.
    ///
    /// # Errors
    /// `Unsupported` if the document isn't in the request, or is of another format.
    pub(super) fn of(file: &'a Value, param: &str, names: &mut Names) -> Result<Self, ProviderError> {
        let text = |name| file.get(name).and_then(Value::as_str);
        let data = text("file_data").and_then(DataUrl::parse);
        let missing = "this model's provider fetches no documents: give it in `file_data` as a `data:` URL in base64";
        let data = data.ok_or_else(|| ProviderError::unsupported(param, missing))?;
        let format = format(data.media_type);
        let unknown = "a document must be PDF, CSV, DOC, DOCX, XLS, XLSX, HTML, plain text or Markdown";
        Ok(Self {
            format: format.ok_or_else(|| ProviderError::unsupported(param, unknown))?,
            name: names.name(text("filename").unwrap_or_default()),
            source: Source { bytes: data.base64 },
        })
    }
}

fn format(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "text/html" => "html",
        "text/plain" => "txt",
        "text/markdown" => "md",
        _ => return None,
    })
}

/// The names that a conversation's documents have so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// A name like a file's, without its extension, that no document has yet: letters, digits, hyphens, round and
    /// square brackets, and no two spaces in a row.
    fn name(&mut self, file: &str) -> String {
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']');
        let plain: String = stem.chars().map(|c| if is_plain(c) { c } else { ' ' }).take(MAX_NAME).collect();
        let words: Vec<_> = plain.split_ascii_whitespace().collect();
        let name = if words.is_empty() { "document".to_owned() } else { words.join(" ") };
        let mut unique = name.clone();
        for number in 2.. {
            if self.taken.insert(unique.clone()) {
                break;
            }
            unique = format!("{name} ({number})");
        }
        unique
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_and_unique() {
        let mut names = Names::default();
        let files = ["a.b/Report_2026  (final).pdf", "Report.pdf", "Report.docx", "Report.pdf", "", "日本語.txt"];
        let expected = ["a b Report 2026 (final)", "Report", "Report (2)", "Report (3)", "document", "document (2)"];
        assert_eq!(files.map(|file| names.name(file)), expected);
    }

    #[test]
    fn a_name_is_never_longer_than_bedrock_takes() {
        let mut names = Names::default();
        let long = "x".repeat(10_000);
        assert!([names.name(&long), names.name(&long)].iter().all(|name| name.len() <= 200));
    }
}
