//! The blocks of an answer, whole or as they grow, as pieces of a choice.

use serde_json::{Value, json};

use crate::llm::{Delta, ToolCallDelta};

/// The blocks so far.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Indices of the blocks that are calls of tools, in their order: which of the parallel calls each is.
    calls: Vec<u64>,
    /// The call that has begun and whose arguments haven't.
    bare: Option<u64>,
    /// The text of the thought that is under way.
    thought: String,
}

impl Pieces {
    /// A block begins, with all that it says already.
    pub(super) fn begin(&mut self, delta: &mut Delta, index: u64, block: &Value) {
        let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
        match text("type") {
            "text" => say(delta, text("text")),
            "thinking" => {
                self.thought.clear();
                self.think(delta, text("thinking"));
                self.sign(delta, index, text("signature"));
            }
            "redacted_thinking" => {
                thought(delta, json!({"type": "redacted_thinking", "index": index, "data": text("data")}));
            }
            "tool_use" => self.call(delta, index, block),
            // Blocks of tools that LMO never asks for.
            _ => {}
        }
    }

    /// A block grows.
    pub(super) fn grow(&mut self, delta: &mut Delta, index: u64, by: &Value) {
        let text = |name: &str| by.get(name).and_then(Value::as_str).unwrap_or_default();
        match text("type") {
            "text_delta" => say(delta, text("text")),
            "thinking_delta" => self.think(delta, text("thinking")),
            "signature_delta" => self.sign(delta, index, text("signature")),
            "input_json_delta" => self.argue(delta, index, text("partial_json")),
            // Citations, and whatever is new: only a client of the same format knows it.
            _ => {}
        }
    }

    /// A block ends. A call without arguments has an empty object of them.
    pub(super) fn end(&mut self, delta: &mut Delta, index: u64) {
        if self.bare == Some(index) {
            self.argue(delta, index, "{}");
        }
    }

    fn call(&mut self, delta: &mut Delta, index: u64, block: &Value) {
        let text = |name: &str| block.get(name).and_then(Value::as_str).map(str::to_owned);
        self.calls.push(index);
        self.bare = Some(index);
        let Some(at) = self.position(index) else { return };
        let call = ToolCallDelta { index: at, id: text("id"), name: text("name"), ..ToolCallDelta::default() };
        delta.tool_calls.push(call);
        if let Some(input) = block.get("input").filter(|input| input.as_object().is_some_and(|input| !input.is_empty()))
        {
            self.argue(delta, index, &input.to_string());
        }
    }

    fn argue(&mut self, delta: &mut Delta, index: u64, arguments: &str) {
        let Some(at) = self.position(index).filter(|_| !arguments.is_empty()) else { return };
        self.bare = None;
        match delta.tool_calls.iter_mut().find(|call| call.index == at) {
            Some(call) => call.arguments.push_str(arguments),
            None => delta.tool_calls.push(ToolCallDelta {
                index: at,
                arguments: arguments.to_owned(),
                ..ToolCallDelta::default()
            }),
        }
    }

    fn position(&self, index: u64) -> Option<u32> {
        u32::try_from(self.calls.iter().rposition(|call| *call == index)?).ok()
    }

    fn think(&mut self, delta: &mut Delta, text: &str) {
        if text.is_empty() {
            return;
        }
        self.thought.push_str(text);
        let said = delta.message_extra.entry("reasoning_content").or_insert_with(|| "".into());
        if let Value::String(said) = said {
            said.push_str(text);
        }
    }

    /// The signature comes with the whole text again, because the provider wants it back as it was, block by block.
    fn sign(&mut self, delta: &mut Delta, index: u64, signature: &str) {
        if !signature.is_empty() {
            let text = std::mem::take(&mut self.thought);
            thought(delta, json!({"type": "thinking", "index": index, "thinking": text, "signature": signature}));
        }
    }
}

fn say(delta: &mut Delta, text: &str) {
    if !text.is_empty() {
        delta.text.get_or_insert_default().push_str(text);
    }
}

fn thought(delta: &mut Delta, block: Value) {
    let blocks = delta.message_extra.entry("thinking_blocks").or_insert_with(|| json!([]));
    if let Value::Array(blocks) = blocks {
        blocks.push(block);
    }
}
