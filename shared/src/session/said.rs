//! What a turn adds to a conversation.

use super::{Summary, past};
use crate::{
    error::{Error, Result},
    llm::{Message, Role},
};

/// The most bytes of JSON text that the asking side of a turn may have: it is written to the table twice over, as every
/// item of a transaction is, and read again with each later turn.
const MOST_ASKED: usize = 1_000_000;

/// The new messages of a request, fit to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked(Vec<Message>);

impl Asked {
    /// The messages that a request adds to its session: all but its system prompt, which applies to it alone.
    ///
    /// # Errors
    /// `Invalid` if nothing is left, or more than a session keeps.
    pub fn new(messages: &[Message]) -> Result<Self> {
        let kept = messages.iter().filter(|message| !matches!(message.role, Role::System | Role::Developer));
        let kept: Vec<_> = kept.cloned().collect();
        if kept.is_empty() {
            return Err(Error::invalid("messages", "a turn of a session needs a message beside its system prompt"));
        }
        let bytes = past::write(&kept)?.len();
        if bytes > MOST_ASKED {
            let detail =
                format!("a turn of a session may have {MOST_ASKED} bytes of messages, and this one has {bytes}");
            return Err(Error::invalid("messages", detail));
        }
        Ok(Self(kept))
    }

    /// The messages.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.0
    }

    pub(super) fn into_messages(self) -> Vec<Message> {
        self.0
    }
}

/// What is added when a turn ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What was asked.
    pub asked: Asked,
    /// What the assistant answered, with its calls of tools and its thinking; mostly one message.
    pub answered: Vec<Message>,
    /// The model that answered, as the catalogue calls it.
    pub model: String,
    /// The summary that was made before this turn, if one was; without one the earlier stays.
    pub summary: Option<Summary>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_prompt_is_not_kept() {
        let roles = [Role::System, Role::User, Role::Developer, Role::Assistant, Role::Tool];
        let asked = Asked::new(&roles.map(|role| Message::text(role, "x"))).unwrap();
        let kept: Vec<_> = asked.messages().iter().map(|message| message.role.clone()).collect();
        assert_eq!(kept, [Role::User, Role::Assistant, Role::Tool]);
    }

    #[test]
    fn a_system_prompt_alone_is_no_turn() {
        assert!(matches!(Asked::new(&[Message::text(Role::System, "x")]), Err(Error::Invalid { .. })));
    }

    #[test]
    fn more_than_a_session_keeps_is_refused() {
        let message = |bytes| [Message::text(Role::User, "x".repeat(bytes))];
        assert!(Asked::new(&message(MOST_ASKED - 100)).is_ok());
        assert!(matches!(Asked::new(&message(MOST_ASKED)), Err(Error::Invalid { param, .. }) if param == "messages"));
    }
}
