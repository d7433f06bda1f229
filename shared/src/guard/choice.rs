//! One choice of an answer under the rules. Its text, each of its tool calls' arguments and each further text of its
//! message (`reasoning_content`) are texts of their own. When the model turns from one to another, what is held of the
//! first goes out, so that pieces keep their order; it is still watched for what is denied.

use std::{collections::BTreeMap, mem, sync::Arc};

use serde_json::Value;

use super::{
    Compiled,
    filter::{Filter, Passed, Then},
};
use crate::llm::{Delta, Fields, FinishReason, ToolCallDelta};

/// Lists and objects that pass: none holds text of the answer. Any other (`logprobs`, `annotations`) may repeat it in
/// pieces of its own, and is dropped.
const KNOWN: [&str; 3] = ["thinking_blocks", "extra_content", "content_filter_results"];

/// The text that is shown as the model's thinking, which a provider may have signed.
const REASONING: &str = "reasoning_content";

#[derive(Debug)]
pub(super) struct Choice {
    guard: Arc<Compiled>,
    texts: BTreeMap<Key, Filter>,
    /// The text that the model is at.
    current: Option<Key>,
    /// The names of its tool calls so far.
    names: BTreeMap<u32, String>,
    /// Bytes of text that went out.
    bytes: usize,
    /// Whether it has its finish reason.
    pub finished: bool,
}

/// A text of a choice, in the order in which a message has them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Field(String),
    Content,
    Call(u32),
}

/// What ends an answer.
#[derive(Debug)]
pub(super) struct Stop {
    pub finish: FinishReason,
    pub rule: String,
}

impl Choice {
    pub fn new(guard: Arc<Compiled>) -> Self {
        Self { guard, texts: BTreeMap::new(), current: None, names: BTreeMap::new(), bytes: 0, finished: false }
    }

    /// What may go out of a piece and of what was held before it; nothing if there is nothing.
    pub fn pass(&mut self, delta: Delta) -> (Option<Delta>, Option<Stop>) {
        let mut out = Delta { choice: delta.choice, ..Delta::default() };
        let empty = delta == out;
        let stop = self.read(delta, &mut out).err();
        self.close(out, empty, stop)
    }

    /// What is held, when no more pieces come.
    pub fn finish(&mut self, index: u32) -> (Option<Delta>, Option<Stop>) {
        let mut out = Delta { choice: index, ..Delta::default() };
        let stop = if self.finished { None } else { self.release(&mut out).err() };
        self.close(out, false, stop)
    }

    fn close(&mut self, mut out: Delta, empty: bool, stop: Option<Stop>) -> (Option<Delta>, Option<Stop>) {
        if let Some(stop) = &stop {
            out.finish = Some(stop.finish.clone());
        }
        self.finished |= out.finish.is_some();
        let nothing = out == Delta { choice: out.choice, ..Delta::default() };
        ((empty || !nothing).then_some(out), stop)
    }

    fn read(&mut self, delta: Delta, out: &mut Delta) -> Result<(), Stop> {
        out.choice_extra = known(delta.choice_extra);
        let mut extra = known(delta.message_extra);
        let thinking = extra.shift_remove("thinking_blocks");
        for (name, value) in extra {
            match value {
                Value::String(piece) => self.text(&Key::Field(name), &piece, out)?,
                value => drop(out.message_extra.insert(name, value)),
            }
        }
        if let Some(blocks) = thinking {
            self.thinking(blocks, out)?;
        }
        if let Some(piece) = delta.text {
            self.text(&Key::Content, &piece, out)?;
        }
        for call in delta.tool_calls {
            self.call(call, out)?;
        }
        if let Some(finish) = delta.finish {
            self.release(out)?;
            out.finish = Some(finish);
        }
        Ok(())
    }

    /// Signatures stand behind the text that they sign. One of a text that was masked is none any more.
    fn thinking(&mut self, mut blocks: Value, out: &mut Delta) -> Result<(), Stop> {
        self.turn_to(None, out)?;
        let masked = self.texts.get_mut(&Key::Field(REASONING.to_owned())).is_some_and(Filter::take_masked);
        if let Some(blocks) = blocks.as_array_mut().filter(|_| masked) {
            blocks.retain(|block| block.get("type").is_some_and(|kind| kind != "thinking"));
        }
        out.message_extra.insert("thinking_blocks".to_owned(), blocks);
        Ok(())
    }

    fn call(&mut self, mut call: ToolCallDelta, out: &mut Delta) -> Result<(), Stop> {
        let name = self.names.entry(call.index).or_default();
        name.push_str(call.name.as_deref().unwrap_or_default());
        if self.guard.blocks_tool(name) {
            return Err(Stop { finish: FinishReason::ContentFilter, rule: "blocked_tools".to_owned() });
        }
        let key = Key::Call(call.index);
        self.turn_to(Some(&key), out)?;
        let piece = mem::take(&mut call.arguments);
        call.extra = known(call.extra);
        if call != (ToolCallDelta { index: call.index, ..ToolCallDelta::default() }) {
            out.tool_calls.push(call);
        }
        self.text(&key, &piece, out)
    }

    fn text(&mut self, key: &Key, piece: &str, out: &mut Delta) -> Result<(), Stop> {
        if !piece.is_empty() {
            self.turn_to(Some(key), out)?;
            return self.filter(key, piece, Then::More, out);
        }
        // Some clients want the field of their first piece to be there, though it is empty.
        match key {
            Key::Content => drop(out.text.get_or_insert_default()),
            Key::Field(name) => drop(out.message_extra.entry(name).or_insert_with(|| "".into())),
            Key::Call(_) => {}
        }
        Ok(())
    }

    /// Gives out what is held of the text that the model was at, if it is another.
    fn turn_to(&mut self, key: Option<&Key>, out: &mut Delta) -> Result<(), Stop> {
        if self.current.as_ref() == key {
            return Ok(());
        }
        match mem::replace(&mut self.current, key.cloned()) {
            Some(before) => self.filter(&before, "", Then::Other, out),
            None => Ok(()),
        }
    }

    /// Gives out all that is held.
    fn release(&mut self, out: &mut Delta) -> Result<(), Stop> {
        let keys: Vec<_> = self.texts.keys().cloned().collect();
        keys.iter().try_for_each(|key| self.filter(key, "", Then::Nothing, out))
    }

    fn filter(&mut self, key: &Key, piece: &str, then: Then, out: &mut Delta) -> Result<(), Stop> {
        let rules = &self.guard.output;
        let filter = self.texts.entry(key.clone()).or_insert_with(|| rules.filter(matches!(key, Key::Call(_))));
        let Passed { text, denied } = filter.pass(piece, then);
        let room = self.guard.config.max_output_bytes.map_or(usize::MAX, |most| most.saturating_sub(self.bytes));
        let fitting = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        self.bytes += fitting.len();
        append(out, key, fitting);
        if fitting.len() < text.len() {
            return Err(Stop { finish: FinishReason::Length, rule: "max_output_bytes".to_owned() });
        }
        match denied {
            Some(denied) => Err(Stop { finish: FinishReason::ContentFilter, rule: rules.name(denied) }),
            None => Ok(()),
        }
    }
}

/// Appends to a text of a piece.
fn append(out: &mut Delta, key: &Key, text: &str) {
    if text.is_empty() {
        return;
    }
    match key {
        Key::Content => out.text.get_or_insert_default().push_str(text),
        Key::Field(name) => {
            let before = out.message_extra.get(name).and_then(Value::as_str).unwrap_or_default();
            let whole = format!("{before}{text}");
            out.message_extra.insert(name.clone(), whole.into());
        }
        Key::Call(index) => {
            if out.tool_calls.last().is_none_or(|call| call.index != *index) {
                out.tool_calls.push(ToolCallDelta { index: *index, ..ToolCallDelta::default() });
            }
            if let Some(call) = out.tool_calls.last_mut() {
                call.arguments.push_str(text);
            }
        }
    }
}

/// Fields without those that may repeat the answer.
fn known(mut fields: Fields) -> Fields {
    fields.retain(|name, value| !(value.is_array() || value.is_object()) || KNOWN.contains(&name.as_str()));
    fields
}
