//! What a chunk and a whole answer have in common on the wire: the envelope, its choices, their message (`delta` or
//! `message`) and its tool calls. Unknown fields of each level stay in that level's `extra`, but those of a tool call's
//! `function` object, where no provider is known to put any, are dropped.

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess};
use serde_json::{Deserializer, Value};

use super::{
    object::{All, Object, One},
    usage,
};
use crate::llm::{Chunk, Delta, Fields, FinishReason, ProviderError, Reported, ToolCallDelta};

/// A chunk or a whole answer as it was read.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// The choices, and the fields beside them.
    pub(super) chunk: Chunk,
    usage: Option<Fields>,
    error: Option<Value>,
}

impl Envelope {
    /// Reads the JSON text of an envelope.
    ///
    /// # Errors
    /// `Malformed` if it isn't one, `InStream` if it is an error.
    pub(super) fn read(json: &[u8]) -> Result<Self, ProviderError> {
        let malformed = |error: &dyn std::error::Error| ProviderError::Malformed(error.to_string());
        let text = str::from_utf8(json).map_err(|error| malformed(&error))?;
        let mut source = Deserializer::from_str(text);
        let mut envelope = Self::default();
        One(&mut envelope).deserialize(&mut source).and_then(|()| source.end()).map_err(|error| malformed(&error))?;
        match envelope.failure() {
            Some(message) => Err(ProviderError::InStream { message }),
            None => Ok(envelope),
        }
    }

    /// The provider's token counts, if it gave any.
    pub(super) fn reported(&mut self) -> Option<Reported> {
        usage::reported(self.usage.take()?)
    }

    /// The message of an error that stands where an answer should: in `error`, or, from old vLLM, in the envelope.
    fn failure(&self) -> Option<String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match &self.error {
            Some(error) => {
                Some(error.get("message").or(Some(error)).and_then(text).unwrap_or_else(|| error.to_string()))
            }
            None if self.chunk.choices.is_empty() => self.chunk.extra.get("message").and_then(text),
            None => None,
        }
    }

    /// Groq's own object holds what others have in the envelope.
    fn groq(&mut self, mut value: Value) {
        if let Some(fields) = value.as_object_mut() {
            if let Some(Value::Object(usage)) = fields.shift_remove("usage") {
                self.usage.get_or_insert(usage);
            }
            self.error = fields.shift_remove("error").filter(|error| !error.is_null()).or(self.error.take());
        }
        if value.as_object().is_none_or(|fields| !fields.is_empty()) {
            self.chunk.extra.insert("x_groq".to_owned(), value);
        }
    }
}

impl<'de> Object<'de> for Envelope {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            // LMO writes its own.
            "id" | "object" | "created" | "model" => skip(map)?,
            "choices" => {
                let at = |choice| Delta { choice, ..Delta::default() };
                map.next_value_seed(All { items: &mut self.chunk.choices, at })?;
            }
            "usage" => {
                if let Value::Object(usage) = map.next_value()? {
                    self.usage = Some(usage);
                }
            }
            "error" => self.error = map.next_value::<Option<Value>>()?.or(self.error.take()),
            "x_groq" => {
                let value = map.next_value()?;
                self.groq(value);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn extra(&mut self) -> &mut Fields {
        &mut self.chunk.extra
    }
}

impl<'de> Object<'de> for Delta {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "index" => self.choice = map.next_value::<Option<u32>>()?.unwrap_or(self.choice),
            "delta" | "message" => map.next_value_seed(One(&mut Message(self)))?,
            // Some servers write an empty reason until there is one.
            "finish_reason" => {
                let reason: Option<FinishReason> = map.next_value()?;
                self.finish = reason.filter(|reason| !matches!(reason, FinishReason::Other(word) if word.is_empty()));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn extra(&mut self) -> &mut Fields {
        &mut self.choice_extra
    }
}

/// The message of a choice.
struct Message<'a>(&'a mut Delta);

impl<'de> Object<'de> for Message<'_> {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            // It is always the assistant who answers.
            "role" => skip(map)?,
            "content" => match map.next_value()? {
                Value::String(text) => self.0.text = Some(text),
                Value::Null => {}
                // Mistral's reasoning models answer with parts.
                parts => {
                    self.0.message_extra.insert(name.to_owned(), parts);
                }
            },
            "tool_calls" => {
                let at = |index| ToolCallDelta { index, ..ToolCallDelta::default() };
                map.next_value_seed(All { items: &mut self.0.tool_calls, at })?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn extra(&mut self) -> &mut Fields {
        &mut self.0.message_extra
    }
}

impl<'de> Object<'de> for ToolCallDelta {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "index" => self.index = map.next_value::<Option<u32>>()?.unwrap_or(self.index),
            "id" => self.id = map.next_value()?,
            "type" => match map.next_value()? {
                Value::Null => {}
                kind if kind == "function" => {}
                kind => {
                    self.extra.insert(name.to_owned(), kind);
                }
            },
            "function" => map.next_value_seed(One(&mut Function { call: self, ignored: Fields::new() }))?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn extra(&mut self) -> &mut Fields {
        &mut self.extra
    }
}

/// The function of a tool call.
struct Function<'a> {
    call: &'a mut ToolCallDelta,
    ignored: Fields,
}

impl<'de> Object<'de> for Function<'_> {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "name" => self.call.name = map.next_value()?,
            "arguments" => match map.next_value()? {
                Value::String(text) => self.call.arguments = text,
                Value::Null => {}
                // Some servers give the object itself.
                value => self.call.arguments = value.to_string(),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn extra(&mut self) -> &mut Fields {
        &mut self.ignored
    }
}

fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}
