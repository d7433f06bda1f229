//! The name that a client gives to a conversation: its own text, not one of ours.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest name, in characters.
const LONGEST: usize = 128;

/// A conversation of a tenant: 1 to 128 letters, digits, `.`, `_`, `:` or `-`, as its client chose them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "chat-42", min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:-]+$")]
pub struct SessionId(String);

impl SessionId {
    /// From a client's text; `None` unless it has the right length and characters. `.` and `..` are none, because no
    /// client would send them as the segment of a path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        let good = (1..=LONGEST).contains(&text.len()) && text.bytes().all(allowed) && !matches!(text, "." | "..");
        good.then(|| Self(text.to_owned()))
    }

    /// As the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

impl TryFrom<String> for SessionId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a session's id has 1 to 128 of the characters A-Z, a-z, 0-9, `.`, `_`, `:` and `-`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_128_characters_is_the_longest() {
        assert!(SessionId::parse(&"x".repeat(128)).is_some());
        assert!(SessionId::parse(&"x".repeat(129)).is_none());
    }

    #[test]
    fn what_could_be_another_key_or_path_is_no_name() {
        for text in ["", ".", "..", "a/b", "a#b", "a b", "ä", "a\n", "%2e"] {
            assert_eq!(SessionId::parse(text), None, "{text:?}");
        }
        assert_eq!(SessionId::parse("user:7_a.b-C").unwrap().as_str(), "user:7_a.b-C");
    }
}
