//! Messages to turns: the API's conversation goes back and forth between user and assistant, with the system prompt
//! beside it.
//!
//! System messages are gathered in front wherever they stand, as Anthropic's own compatibility with chat completions has
//! it. Results of tools are the user's. What one side says in several messages is one turn, so that the results of
//! parallel calls are together.

use serde::Serialize;
use serde_json::Value;

use super::blocks;
use crate::llm::{Message, ProviderError, Role};

/// A conversation as Messages has it.
#[derive(Default)]
pub(super) struct Conversation {
    /// Blocks of text.
    pub system: Vec<Value>,
    /// User and assistant in turns.
    pub messages: Vec<Turn>,
}

/// What one side says until the other does.
#[derive(Serialize)]
pub(super) struct Turn {
    role: Side,
    content: Vec<Value>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    User,
    Assistant,
}

impl Conversation {
    pub(super) fn of(messages: &[Message]) -> Result<Self, ProviderError> {
        let mut conversation = Self::default();
        messages.iter().try_for_each(|message| conversation.add(message))?;
        if conversation.messages.is_empty() {
            let message = "this model needs a message that says something, beside the system prompt";
            return Err(ProviderError::unsupported("messages", message));
        }
        Ok(conversation)
    }

    fn add(&mut self, message: &Message) -> Result<(), ProviderError> {
        match &message.role {
            Role::System | Role::Developer => self.system.extend(blocks::system(message)?),
            Role::User => self.say(Side::User, blocks::user(message)?),
            Role::Assistant => self.say(Side::Assistant, blocks::assistant(message)?),
            Role::Tool => self.say(Side::User, vec![blocks::tool_result(message)?]),
            Role::Other(role) => {
                let message = format!("this model takes no message of the role `{role}`");
                return Err(ProviderError::unsupported("messages", message));
            }
        }
        Ok(())
    }

    /// The API refuses empty turns.
    fn say(&mut self, role: Side, content: Vec<Value>) {
        match self.messages.last_mut() {
            Some(last) if last.role == role => last.content.extend(content),
            Some(_) | None if content.is_empty() => {}
            Some(_) | None => self.messages.push(Turn { role, content }),
        }
    }
}
