//! The text of an answer nobody dictated: numbered words, so that a lost or doubled one is told from its neighbours,
//! some of them outside ASCII, rendered once.

use std::fmt::Write as _;
use std::sync::LazyLock;

const STEMS: [&str; 8] = ["river", "stone", "naïve", "cloud", "paper", "日本", "light", "grün"];
const RENDERED: usize = 8192;

/// The words before the rendered limit, each as a JSON string with its quotes.
static JSON: LazyLock<Vec<String>> = LazyLock::new(|| (0..RENDERED).map(quoted).collect());

/// The deltas of an answer of `count` tokens, in order. No two are the same.
#[must_use]
pub fn words(count: usize) -> Vec<String> {
    (0..count).map(word).collect()
}

/// The whole text of an answer of `count` tokens.
#[must_use]
pub fn text(count: usize) -> String {
    words(count).concat()
}

/// The reasoning of an answer with so many reasoning tokens, in formats that show it.
#[must_use]
pub fn thoughts(count: usize) -> String {
    (0..count).map(thought).collect()
}

/// One token of reasoning.
pub(super) fn thought(index: usize) -> String {
    let space = if index > 0 { " " } else { "" };
    format!("{space}perhaps{index}")
}

/// Appends word `index` as a JSON string, without its quotes if `bare`.
pub(super) fn write_json(out: &mut Vec<u8>, index: usize, bare: bool) {
    let fresh;
    let json = if let Some(json) = JSON.get(index) {
        json
    } else {
        fresh = quoted(index);
        &fresh
    };
    let json = if bare { &json[1..json.len() - 1] } else { json };
    out.extend_from_slice(json.as_bytes());
}

pub(super) fn word(index: usize) -> String {
    let mut word = String::with_capacity(12);
    if index > 0 {
        word.push(' ');
    }
    word.push_str(STEMS[index % STEMS.len()]);
    // Writing into a `String` cannot fail.
    let _ = write!(word, "{index}");
    word
}

/// No stem holds a character that JSON escapes.
fn quoted(index: usize) -> String {
    format!("\"{}\"", word(index))
}
