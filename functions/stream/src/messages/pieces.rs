//! What a piece of an answer says, block by block.

use lmo_shared::{
    answer::Choice,
    llm::{Delta, Fields, ToolCallDelta},
};
use serde_json::{Value, json};

use super::response::Head;

/// A piece of one block.
pub(super) enum Piece {
    Text(String),
    Thought(String),
    /// The end of a thought; its text too, if it wasn't said yet.
    Signature {
        thinking: String,
        signature: String,
    },
    Redacted(Value),
    Call(ToolCallDelta),
}

/// Which block a piece belongs to.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Text,
    Thinking,
    Call(u32),
}

impl Piece {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Thought(_) | Self::Signature { .. } | Self::Redacted(_) => Kind::Thinking,
            Self::Call(call) => Kind::Call(call.index),
        }
    }
}

/// What a piece of the answer says, in the order that blocks have.
pub(super) fn pieces(mut delta: Delta) -> Vec<Piece> {
    let mut pieces = thoughts_of(&mut delta.message_extra);
    let refusal = delta.message_extra.shift_remove("refusal");
    let refusal = refusal.as_ref().and_then(Value::as_str).map(str::to_owned);
    pieces.extend(parts_of(&delta.message_extra));
    let texts = delta.text.into_iter().chain(refusal).filter(|text| !text.is_empty());
    pieces.extend(texts.map(Piece::Text));
    pieces.extend(delta.tool_calls.into_iter().map(Piece::Call));
    pieces
}

fn thoughts_of(extra: &mut Fields) -> Vec<Piece> {
    let blocks = match extra.shift_remove("thinking_blocks") {
        Some(Value::Array(blocks)) => blocks,
        Some(_) | None => Vec::new(),
    };
    // A whole answer says its thoughts twice: all together, and block by block.
    let told = blocks.iter().any(|block| text_of(block, "thinking").is_some_and(|text| !text.is_empty()));
    let reasoning = ["reasoning_content", "reasoning"].iter().find_map(|name| extra.get(*name)?.as_str());
    let reasoning = reasoning.filter(|text| !text.is_empty() && !told).map(|text| Piece::Thought(text.to_owned()));
    let signed = blocks.iter().filter_map(|block| {
        if text_of(block, "type")? == "redacted_thinking" {
            return Some(Piece::Redacted(block.get("data")?.clone()));
        }
        let thinking = text_of(block, "thinking").unwrap_or_default().to_owned();
        Some(Piece::Signature { thinking, signature: text_of(block, "signature")?.to_owned() })
    });
    reasoning.into_iter().chain(signed).collect()
}

fn text_of<'a>(block: &'a Value, name: &str) -> Option<&'a str> {
    block.get(name).and_then(Value::as_str)
}

/// Content that is a list, as Mistral's reasoning models have it.
fn parts_of(extra: &Fields) -> Vec<Piece> {
    let parts = extra.get("content").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let piece = |part: &Value| match text_of(part, "type")? {
        "text" => text_of(part, "text").map(|text| Piece::Text(text.to_owned())),
        "thinking" => {
            let texts = part.get("thinking")?.as_array()?.iter().filter_map(|part| text_of(part, "text"));
            Some(Piece::Thought(texts.collect()))
        }
        _ => None,
    };
    parts.iter().filter_map(piece).collect()
}

/// A whole answer, as blocks.
pub(super) fn whole(head: &Head, choice: Choice) -> Vec<Value> {
    let mut blocks: Vec<Value> = Vec::new();
    for piece in pieces(as_delta(choice)) {
        match piece {
            Piece::Text(text) => blocks.push(json!({"type": "text", "text": text})),
            Piece::Thought(thinking) => blocks.push(json!({"type": "thinking", "thinking": thinking, "signature": ""})),
            Piece::Signature { thinking, signature } => match blocks.last_mut() {
                Some(last) if last["signature"] == "" => last["signature"] = signature.into(),
                Some(_) | None => {
                    blocks.push(json!({"type": "thinking", "thinking": thinking, "signature": signature}));
                }
            },
            Piece::Redacted(data) => blocks.push(json!({"type": "redacted_thinking", "data": data})),
            Piece::Call(call) => {
                // Arguments that the output limit has cut are no object.
                let input: Fields = serde_json::from_str(&call.arguments).unwrap_or_default();
                let mut block = begin_call(head, &call);
                block["input"] = input.into();
                blocks.push(block);
            }
        }
    }
    blocks
}

/// The block of a call of a tool, before its arguments.
pub(super) fn begin_call(head: &Head, call: &ToolCallDelta) -> Value {
    let id = call.id.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| head.tool_id(call.index));
    json!({"type": "tool_use", "id": id, "name": call.name.as_deref().unwrap_or_default(), "input": {}})
}

fn as_delta(choice: Choice) -> Delta {
    let calls = (0..).zip(choice.tool_calls).filter_map(|(index, call)| {
        let function = call.function?;
        let (name, arguments) = (Some(function.name), function.arguments);
        Some(ToolCallDelta { index, id: Some(call.id), name, arguments, extra: Fields::new() })
    });
    let tool_calls = calls.collect();
    Delta { text: choice.text, tool_calls, message_extra: choice.message_extra, ..Delta::default() }
}
