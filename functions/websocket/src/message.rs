//! What clients say: `{"type": "ask", "id": "1", "query": "..."}` or `{"type": "ping"}`.

use lmo_shared::{
    error::{Error, Result},
    http::{AskRequest, parse, parse_value},
};
use serde_json::{Map, Value};

/// The largest message, in bytes: what API Gateway lets through.
pub const MESSAGE_LIMIT: usize = 128 * 1024;
/// The longest name of a request, in characters.
const LONGEST_ID: usize = 128;

/// A message.
#[derive(Debug)]
pub struct Message {
    /// What its client calls the request; frames of its answer say it again.
    pub id: Option<String>,
    /// What it wants, or why that can't be known.
    pub wants: Result<Wants>,
}

/// What a message wants.
#[derive(Debug)]
pub enum Wants {
    /// An answer.
    Answer(Box<AskRequest>),
    /// To know that somebody is there.
    Pong,
}

impl Message {
    /// From its text.
    pub fn read(text: &[u8]) -> Self {
        if text.len() > MESSAGE_LIMIT {
            return Self { id: None, wants: Err(Error::BodyTooLarge { limit: MESSAGE_LIMIT }) };
        }
        let mut fields: Map<String, Value> = match parse(text) {
            Ok(fields) => fields,
            Err(error) => return Self { id: None, wants: Err(error) },
        };
        match id(fields.shift_remove("id")) {
            Ok(id) => Self { id, wants: wants(fields) },
            Err(error) => Self { id: None, wants: Err(error) },
        }
    }
}

fn id(field: Option<Value>) -> Result<Option<String>> {
    match field {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.chars().count() <= LONGEST_ID => Ok(Some(id)),
        Some(_) => Err(Error::invalid("id", format!("id must be a text of at most {LONGEST_ID} characters"))),
    }
}

fn wants(mut fields: Map<String, Value>) -> Result<Wants> {
    match fields.shift_remove("type").as_ref().map(Value::as_str) {
        None | Some(Some("ask")) => parse_value(Value::Object(fields)).map(Wants::Answer),
        Some(Some("ping")) => Ok(Wants::Pong),
        Some(_) => Err(Error::invalid("type", "type must be `ask` or `ping`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> (Option<String>, &'static str) {
        let message = Message::read(text.as_bytes());
        (message.id, message.wants.map_err(|error| error.code()).err().unwrap_or("none"))
    }

    #[test]
    fn a_message_is_a_question_unless_it_says_otherwise() {
        for text in [r#"{"query": "hi", "id": "1"}"#, r#"{"type": "ask", "id": "1", "query": "hi"}"#] {
            let message = Message::read(text.as_bytes());
            assert_eq!(message.id.as_deref(), Some("1"));
            assert!(matches!(message.wants, Ok(Wants::Answer(ask)) if ask.query.as_deref() == Some("hi")));
        }
        assert!(matches!(Message::read(br#"{"type": "ping"}"#).wants, Ok(Wants::Pong)));
    }

    #[test]
    fn what_is_wrong_with_a_message_is_said_with_its_id() {
        let id = || Some("1".to_owned());
        assert_eq!(code(r#"{"id": "1", "type": "shout"}"#), (id(), "invalid_request"));
        assert_eq!(code(r#"{"id": "1", "type": null}"#), (id(), "invalid_request"));
        assert_eq!(code(r#"{"id": "1", "question": "hi"}"#), (id(), "invalid_request"));
        assert_eq!(code(r#"{"id": "1", "query": 5}"#), (id(), "invalid_request"));
        assert_eq!(code(r#"{"id": 1, "query": "hi"}"#), (None, "invalid_request"));
        assert_eq!(code("[]"), (None, "invalid_request"));
        assert_eq!(code("hello"), (None, "bad_json"));
        assert_eq!(code(&format!(r#"{{"id": "{}", "query": "hi"}}"#, "ä".repeat(129))), (None, "invalid_request"));
        assert_eq!(code(&format!(r#"{{"query": "{}"}}"#, "a".repeat(MESSAGE_LIMIT))), (None, "body_too_large"));
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let wants = Message::read(br#"{"messages": [{"role": "user", "content": "a"}, {"role": 5}]}"#).wants;
        assert!(matches!(wants, Err(Error::Invalid { param, .. }) if param.starts_with("messages[1]")));
    }
}
