//! A whole answer, put together from its pieces.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Done;
use crate::llm::{Chunk, Delta, Fields, FinishReason, Native, ToolCall, ToolCallDelta};

/// More parallel calls than any model makes; an index beyond is a provider's mistake.
const MOST_CALLS: usize = 1024;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Completion {
    /// The alternatives, in their order; one unless more were asked for.
    pub choices: Vec<Choice>,
    /// The provider's own fields beside the choices.
    pub extra: Fields,
    /// The provider's own words for all of it, for a client of the same format.
    pub native: Option<Native>,
    /// What it took.
    pub done: Option<Done>,
    chunks: u32,
    open: BTreeMap<u32, Choice>,
}

/// One alternative.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choice {
    /// Its text; `None` if it has none, as beside tool calls.
    pub text: Option<String>,
    /// Tools that the model wants to be called.
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended.
    pub finish: Option<FinishReason>,
    /// Fields of the message that LMO doesn't interpret.
    pub message_extra: Fields,
    /// Fields of the choice that LMO doesn't interpret.
    pub choice_extra: Fields,
}

impl Completion {
    pub(super) fn append(&mut self, chunk: Chunk) {
        self.extra.extend(chunk.extra);
        self.chunks += 1;
        // The words for a piece are not those for the whole.
        self.native = chunk.native.filter(|_| self.chunks == 1);
        for delta in chunk.choices {
            self.open.entry(delta.choice).or_default().append(delta);
        }
    }

    /// The first alternative, as far as it has come.
    pub(super) fn into_first(self) -> Option<Choice> {
        self.open.into_values().next()
    }

    pub(super) fn finish(mut self, done: Done) -> Self {
        self.choices = std::mem::take(&mut self.open).into_values().collect();
        self.done = Some(done);
        self
    }
}

impl Choice {
    fn append(&mut self, delta: Delta) {
        if let Some(text) = delta.text {
            self.text.get_or_insert_default().push_str(&text);
        }
        for call in delta.tool_calls {
            self.append_call(call);
        }
        self.finish = delta.finish.or(self.finish.take());
        append_fields(&mut self.message_extra, delta.message_extra);
        self.choice_extra.extend(delta.choice_extra);
    }

    fn append_call(&mut self, delta: ToolCallDelta) {
        let index = delta.index as usize;
        if index >= MOST_CALLS {
            return;
        }
        while self.tool_calls.len() <= index {
            self.tool_calls.push(ToolCall::function("", "", ""));
        }
        let call = &mut self.tool_calls[index];
        if let Some(id) = delta.id {
            call.id = id;
        }
        if let Some(function) = &mut call.function {
            if let Some(name) = delta.name {
                function.name.push_str(&name);
            }
            function.arguments.push_str(&delta.arguments);
        }
        call.extra.extend(delta.extra);
    }
}

/// Texts and lists (`reasoning_content`, `thinking_blocks`) come in pieces like the text itself; anything else is said
/// once.
fn append_fields(fields: &mut Fields, more: Fields) {
    for (name, value) in more {
        match (fields.get_mut(&name), value) {
            (Some(Value::String(text)), Value::String(piece)) => text.push_str(&piece),
            (Some(Value::Array(list)), Value::Array(piece)) => list.extend(piece),
            (_, value) => drop(fields.insert(name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_parallel_tool_calls_come_together_by_index() {
        let piece = |index, name: Option<&str>, arguments: &str| Chunk {
            choices: vec![Delta {
                tool_calls: vec![ToolCallDelta {
                    index,
                    name: name.map(str::to_owned),
                    arguments: arguments.to_owned(),
                    ..ToolCallDelta::default()
                }],
                ..Delta::default()
            }],
            ..Chunk::default()
        };
        let mut completion = Completion::default();
        for chunk in [piece(0, Some("a"), "{\"x\""), piece(1, Some("b"), "{}"), piece(0, None, ":1}")] {
            completion.append(chunk);
        }
        let done = Done {
            usage: crate::llm::Usage::default(),
            native: None,
            estimated: false,
            cost: crate::money::NanoUsd(0),
        };
        let calls = completion.finish(done).choices.remove(0).tool_calls;
        let calls: Vec<_> = calls.into_iter().filter_map(|call| call.function).map(|f| (f.name, f.arguments)).collect();
        assert_eq!(calls, [("a".into(), "{\"x\":1}".into()), ("b".into(), "{}".into())]);
    }
}
