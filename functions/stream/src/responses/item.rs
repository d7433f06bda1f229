//! One item of the output while it is being written.

use serde_json::{Value, json};

/// An item, with the id that its events name.
pub(super) struct Item {
    pub id: String,
    /// `in_progress`, `completed` or `incomplete`.
    pub status: &'static str,
    pub kind: Kind,
}

/// What an item is.
pub(super) enum Kind {
    /// What the model thought, and, sealed, what is to be brought back with the conversation.
    Reasoning { text: String, encrypted: Option<String> },
    /// What it says.
    Message { parts: Vec<Part> },
    /// A call of a tool.
    Call(Call),
}

/// A part of a message.
pub(super) struct Part {
    pub refuses: bool,
    pub text: String,
    pub logprobs: Vec<Value>,
}

/// A call of a tool.
pub(super) struct Call {
    /// Which of the parallel ones.
    pub index: u32,
    pub id: String,
    pub name: String,
    pub arguments: String,
    /// Whether the tool is a custom one, whose arguments are text and not JSON.
    pub custom: bool,
}

impl Item {
    pub fn is_open(&self) -> bool {
        self.status == "in_progress"
    }

    /// The item as it is written.
    pub fn value(&self) -> Value {
        let Self { id, status, kind } = self;
        match kind {
            Kind::Reasoning { text, encrypted } => {
                let summary: Vec<Value> = (!text.is_empty()).then(|| summary(text)).into_iter().collect();
                let mut item = json!({"id": id, "type": "reasoning", "summary": summary});
                if let Some(encrypted) = encrypted {
                    item["encrypted_content"] = encrypted.as_str().into();
                }
                item
            }
            Kind::Message { parts } => {
                let content: Vec<Value> = parts.iter().map(Part::value).collect();
                json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content})
            }
            Kind::Call(call) => {
                let (kind, input) =
                    if call.custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
                let (call_id, name, arguments) = (&call.id, &call.name, &call.arguments);
                json!({"id": id, "type": kind, "status": status, "call_id": call_id, "name": name, input: arguments})
            }
        }
    }

    /// The events that end it, as item `at`.
    pub fn ending(&self, at: usize) -> Vec<(&'static str, Value)> {
        let id = &self.id;
        let mut events = match &self.kind {
            Kind::Reasoning { text, .. } if text.is_empty() => Vec::new(),
            Kind::Reasoning { text, .. } => {
                let place = json!({"item_id": id, "output_index": at, "summary_index": 0});
                vec![
                    ("response.reasoning_summary_text.done", with(&place, "text", text.as_str().into())),
                    ("response.reasoning_summary_part.done", with(&place, "part", summary(text))),
                ]
            }
            Kind::Message { .. } => self.ending_of_part(at),
            Kind::Call(Call { arguments, custom: true, .. }) => {
                let fields = json!({"item_id": id, "output_index": at, "input": arguments});
                vec![("response.custom_tool_call_input.done", fields)]
            }
            Kind::Call(Call { name, arguments, custom: false, .. }) => {
                let fields = json!({"item_id": id, "output_index": at, "name": name, "arguments": arguments});
                vec![("response.function_call_arguments.done", fields)]
            }
        };
        events.push(("response.output_item.done", json!({"output_index": at, "item": self.value()})));
        events
    }

    /// The events that end the last part of a message, as item `at`.
    pub fn ending_of_part(&self, at: usize) -> Vec<(&'static str, Value)> {
        let Kind::Message { parts } = &self.kind else { return Vec::new() };
        let Some(part) = parts.last() else { return Vec::new() };
        let place = json!({"item_id": self.id, "output_index": at, "content_index": parts.len() - 1});
        let text = part.text.as_str().into();
        let said = if part.refuses {
            ("response.refusal.done", with(&place, "refusal", text))
        } else {
            let logprobs = part.logprobs.clone().into();
            ("response.output_text.done", with(&with(&place, "text", text), "logprobs", logprobs))
        };
        vec![said, ("response.content_part.done", with(&place, "part", part.value()))]
    }
}

impl Part {
    pub fn value(&self) -> Value {
        let Self { refuses, text, logprobs } = self;
        if *refuses {
            json!({"type": "refusal", "refusal": text})
        } else {
            json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs})
        }
    }
}

/// A part of a summary.
pub(super) fn summary(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

/// An object with one more field.
fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}
