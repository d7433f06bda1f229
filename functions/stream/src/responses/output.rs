//! The items of an answer, put together from pieces in the normal form, with the events that tell of each step
//! (API reference, "Streaming events"). Reasoning and text end when something else begins; calls, whose pieces may come
//! by turns, end with the answer.

use lmo_shared::{
    http::sse::Frames,
    llm::{Delta, FinishReason, ToolCallDelta, responses::reasoning},
};
use serde_json::{Value, json};

use super::{
    events::write,
    item::{Call, Item, Kind, Part, summary},
    response::Status,
};

/// The items so far.
pub(super) struct Output {
    /// The part of the ids that is the request's.
    key: String,
    items: Vec<Item>,
    /// Calls whose names are not known yet.
    nameless: Vec<ToolCallDelta>,
    status: Status,
    /// The next event's number.
    next: u64,
}

impl Output {
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), items: Vec::new(), nameless: Vec::new(), status: Status::InProgress, next: 0 }
    }

    /// The items as they are written.
    pub fn items(&self) -> Vec<Value> {
        self.items.iter().map(Item::value).collect()
    }

    /// Writes an event with its type and number.
    pub fn event(&mut self, kind: &str, fields: Value, out: &mut Frames) {
        write(kind, self.next, fields, out);
        self.next = self.next.saturating_add(1);
    }

    /// Adds a piece of the answer.
    pub fn append(&mut self, delta: Delta, out: &mut Frames) {
        let Delta { text, tool_calls, finish, mut message_extra, mut choice_extra, .. } = delta;
        let mut take = |name: &str| message_extra.shift_remove(name).filter(|value| !value.is_null());
        // Both names are in use, and some servers say the same under both.
        let thought = take("reasoning_content").or_else(|| take("reasoning"));
        self.reason(thought.as_ref().and_then(Value::as_str).unwrap_or_default(), out);
        if let Some(Value::Array(blocks)) = take("thinking_blocks") {
            for block in blocks {
                self.seal(block, out);
            }
        }
        // The reasoning models of Mistral answer with parts.
        if let Some(Value::Array(parts)) = take("content") {
            for part in &parts {
                self.part(part, out);
            }
        }
        let logprobs = match choice_extra.get_mut("logprobs").and_then(|logprobs| logprobs.get_mut("content")) {
            Some(Value::Array(list)) => std::mem::take(list),
            Some(_) | None => Vec::new(),
        };
        self.say(false, &text.unwrap_or_default(), logprobs, out);
        let refusal = take("refusal");
        self.say(true, refusal.as_ref().and_then(Value::as_str).unwrap_or_default(), Vec::new(), out);
        for call in tool_calls {
            self.call(call, out);
        }
        if let Some(finish) = finish {
            self.end(finish, out);
        }
    }

    /// Ends what is open, and says how the answer ended.
    pub fn finish(&mut self, out: &mut Frames) -> Status {
        if self.status == Status::InProgress {
            self.end(FinishReason::Stop, out);
        }
        self.status.clone()
    }

    fn end(&mut self, finish: FinishReason, out: &mut Frames) {
        for call in std::mem::take(&mut self.nameless) {
            self.begin_call(call, out);
        }
        self.status = Status::of(finish);
        let status = self.status.words().0;
        for at in 0..self.items.len() {
            self.close(at, status, out);
        }
    }

    fn part(&mut self, part: &Value, out: &mut Frames) {
        let text = |part: &Value| part.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
        match part.get("thinking") {
            Some(Value::Array(thought)) => thought.iter().for_each(|piece| self.reason(&text(piece), out)),
            Some(_) | None => self.say(false, &text(part), Vec::new(), out),
        }
    }

    fn reason(&mut self, more: &str, out: &mut Frames) {
        if more.is_empty() {
            return;
        }
        let at = self.open_reasoning(out);
        let Some(Item { id, kind: Kind::Reasoning { text, .. }, .. }) = self.items.get_mut(at) else { return };
        let place =
            |name: &str, value: Value| json!({"item_id": id, "output_index": at, "summary_index": 0, name: value});
        let (first, delta) = (place("part", summary("")), place("delta", more.into()));
        let begins = text.is_empty();
        text.push_str(more);
        if begins {
            self.event("response.reasoning_summary_part.added", first, out);
        }
        self.event("response.reasoning_summary_text.delta", delta, out);
    }

    /// Ends the reasoning that a block seals.
    fn seal(&mut self, mut block: Value, out: &mut Frames) {
        let at = self.open_reasoning(out);
        let Some(Item { kind: Kind::Reasoning { text, encrypted }, .. }) = self.items.get_mut(at) else { return };
        let signed = block.get("signature").and_then(Value::as_str).is_some_and(|signature| !signature.is_empty());
        let thinking = block.get("type").is_some_and(|kind| kind == "thinking");
        if let Value::Object(block) = &mut block {
            block.shift_remove("index");
            if thinking {
                block.entry("thinking").or_insert_with(|| text.as_str().into());
            }
        }
        // Nobody can verify thinking that isn't signed.
        *encrypted = (signed || !thinking).then(|| reasoning::encrypted(&block));
        self.close(at, "completed", out);
    }

    fn say(&mut self, refuses: bool, more: &str, logprobs: Vec<Value>, out: &mut Frames) {
        if more.is_empty() && logprobs.is_empty() {
            return;
        }
        let is_message = |item: &Item| item.is_open() && matches!(item.kind, Kind::Message { .. });
        let open = self.items.iter().rposition(is_message);
        let at = open.unwrap_or_else(|| self.begin("msg", Kind::Message { parts: Vec::new() }, out));
        self.open_part(at, refuses, out);
        let Some(Item { id, kind: Kind::Message { parts }, .. }) = self.items.get_mut(at) else { return };
        let content = parts.len().saturating_sub(1);
        let Some(part) = parts.last_mut() else { return };
        let mut delta = json!({"item_id": id, "output_index": at, "content_index": content, "delta": more});
        part.text.push_str(more);
        if refuses {
            return self.event("response.refusal.delta", delta, out);
        }
        delta["logprobs"] = logprobs.clone().into();
        part.logprobs.extend(logprobs);
        self.event("response.output_text.delta", delta, out);
    }

    /// Begins a part of a message, unless its last one is of the same kind.
    fn open_part(&mut self, at: usize, refuses: bool, out: &mut Frames) {
        let Some(item) = self.items.get_mut(at) else { return };
        let ending = item.ending_of_part(at);
        let Kind::Message { parts } = &mut item.kind else { return };
        if parts.last().is_some_and(|part| part.refuses == refuses) {
            return;
        }
        let part = Part { refuses, text: String::new(), logprobs: Vec::new() };
        let (id, content, value) = (&item.id, parts.len(), part.value());
        let added = json!({"item_id": id, "output_index": at, "content_index": content, "part": value});
        parts.push(part);
        for (kind, fields) in ending {
            self.event(kind, fields, out);
        }
        self.event("response.content_part.added", added, out);
    }

    fn call(&mut self, piece: ToolCallDelta, out: &mut Frames) {
        let is_it = |item: &Item| matches!(&item.kind, Kind::Call(call) if call.index == piece.index);
        if let Some(at) = self.items.iter().position(is_it) {
            return self.argue(at, &piece.arguments, out);
        }
        let waiting = self.nameless.iter().position(|call| call.index == piece.index);
        let mut call = waiting.map_or_else(ToolCallDelta::default, |at| self.nameless.swap_remove(at));
        call.index = piece.index;
        call.id = piece.id.or(call.id);
        call.name = piece.name;
        call.extra.extend(piece.extra);
        call.arguments.push_str(&piece.arguments);
        if call.name.is_some() { self.begin_call(call, out) } else { self.nameless.push(call) }
    }

    fn begin_call(&mut self, call: ToolCallDelta, out: &mut Frames) {
        let ToolCallDelta { index, id, name, arguments, extra } = call;
        let custom = extra.get("type").is_some_and(|kind| kind == "custom");
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{}_{index}", self.key));
        let call = Call { index, id, name: name.unwrap_or_default(), arguments: String::new(), custom };
        let at = self.begin(if custom { "ctc" } else { "fc" }, Kind::Call(call), out);
        self.argue(at, &arguments, out);
    }

    fn argue(&mut self, at: usize, more: &str, out: &mut Frames) {
        let Some(Item { id, kind: Kind::Call(call), .. }) = self.items.get_mut(at) else { return };
        if more.is_empty() {
            return;
        }
        call.arguments.push_str(more);
        let delta = json!({"item_id": id, "output_index": at, "delta": more});
        let what = if call.custom { "custom_tool_call_input" } else { "function_call_arguments" };
        self.event(&format!("response.{what}.delta"), delta, out);
    }

    fn open_reasoning(&mut self, out: &mut Frames) -> usize {
        let is_reasoning = |item: &Item| item.is_open() && matches!(item.kind, Kind::Reasoning { .. });
        let open = self.items.iter().rposition(is_reasoning);
        open.unwrap_or_else(|| self.begin("rs", Kind::Reasoning { text: String::new(), encrypted: None }, out))
    }

    /// Begins an item, behind which only calls stay open, and returns its position.
    fn begin(&mut self, prefix: &str, kind: Kind, out: &mut Frames) -> usize {
        let at = self.items.len();
        for before in 0..at {
            if self.items.get(before).is_some_and(|item| !matches!(item.kind, Kind::Call(_))) {
                self.close(before, "completed", out);
            }
        }
        let item = Item { id: format!("{prefix}_{}{at}", self.key), status: "in_progress", kind };
        let added = json!({"output_index": at, "item": item.value()});
        self.items.push(item);
        self.event("response.output_item.added", added, out);
        at
    }

    fn close(&mut self, at: usize, status: &'static str, out: &mut Frames) {
        let Some(item) = self.items.get_mut(at).filter(|item| item.is_open()) else { return };
        item.status = status;
        for (kind, fields) in item.ending(at) {
            self.event(kind, fields, out);
        }
    }
}
