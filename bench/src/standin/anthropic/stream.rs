//! A stream as Anthropic writes it: named server-sent events, from `message_start` to `message_stop`.

use bytes::Bytes;
use serde_json::{Value, json};

use super::message::{call_id, head, input_usage, signature, stop_reason, stop_sequence};
use crate::standin::answer::{Answer, Block};
use crate::standin::envelope::Envelope;
use crate::standin::events::{EventWriter, Events};
use crate::standin::later;
use crate::standin::vocabulary;

/// The body of a streamed answer.
pub(in crate::standin) fn stream(answer: &Answer, envelope: &Envelope<'_>) -> Events {
    let mut writer = MessageWriter {
        events: EventWriter::with_capacity(answer.pieces.len() + 8, 160),
        number: envelope.number,
        unknown: envelope.unknown,
    };
    writer.event(json!({ "type": "message_start", "message": start(answer, envelope) }), false);
    let blocks = answer.blocks();
    if blocks.is_empty() {
        writer.ping();
    }
    for (index, block) in blocks.iter().enumerate() {
        writer.block(index, block);
    }
    let mut delta = json!({
        "type": "message_delta",
        "delta": {
            "stop_reason": stop_reason(&answer.finish), "stop_sequence": stop_sequence(answer, envelope),
            "stop_details": null
        }
    });
    if envelope.usage {
        let mut usage = input_usage(answer.usage);
        if let Some(usage) = usage.as_object_mut() {
            usage.remove("cache_creation");
        }
        usage["output_tokens"] = answer.usage.completion.into();
        usage["output_tokens_details"] = json!({ "thinking_tokens": answer.usage.reasoning });
        delta["usage"] = usage;
    }
    writer.events.finish_next();
    writer.event(delta, false);
    writer.event(json!({ "type": "message_stop" }), false);
    writer.events.done()
}

/// An event that is not JSON.
pub(in crate::standin) fn malformed() -> Bytes {
    Bytes::from_static(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\n\n")
}

/// An event whose text is not UTF-8.
pub(in crate::standin) fn corrupt() -> Bytes {
    Bytes::from_static(
        b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":\
          {\"type\":\"text_delta\",\"text\":\"\xff\xfe\"}}\n\n",
    )
}

/// The event that ends a stream which fails half way.
pub(in crate::standin) fn error(code: Option<&str>) -> Bytes {
    let kind = code.unwrap_or("api_error");
    let message = if kind == "overloaded_error" { "Overloaded" } else { "Internal server error" };
    let error = json!({ "type": "error", "error": { "type": kind, "message": message } });
    format!("event: error\ndata: {error}\n\n").into()
}

fn start(answer: &Answer, envelope: &Envelope<'_>) -> Value {
    let mut message = head(envelope);
    if envelope.usage {
        let mut usage = input_usage(answer.usage);
        usage["output_tokens"] = answer.usage.completion.min(1).into();
        usage["service_tier"] = "standard".into();
        message["usage"] = usage;
    }
    message
}

struct MessageWriter {
    events: EventWriter,
    number: u64,
    unknown: bool,
}

impl MessageWriter {
    fn block(&mut self, index: usize, block: &Block<'_>) {
        let is_call = matches!(block, Block::Call { .. });
        let content_block = match block {
            Block::Thinking(_) => json!({ "type": "thinking", "thinking": "", "signature": "" }),
            Block::Text(_) => json!({ "type": "text", "text": "" }),
            Block::Call { index, name, .. } => {
                json!({ "type": "tool_use", "id": call_id(self.number, *index), "name": name, "input": {} })
            }
        };
        let start = json!({ "type": "content_block_start", "index": index, "content_block": content_block });
        self.event(start, is_call);
        if index == 0 {
            self.ping();
        }
        match block {
            Block::Thinking(words) => {
                for thought in (0..*words).map(vocabulary::thought) {
                    self.delta(index, &json!({ "type": "thinking_delta", "thinking": thought }), true);
                }
                let signature = signature(self.number);
                self.delta(index, &json!({ "type": "signature_delta", "signature": signature }), false);
            }
            Block::Text(pieces) => {
                for piece in *pieces {
                    self.delta(index, &json!({ "type": "text_delta", "text": piece.text() }), true);
                }
            }
            Block::Call { arguments, .. } => {
                self.delta(index, &json!({ "type": "input_json_delta", "partial_json": "" }), false);
                for piece in *arguments {
                    self.delta(index, &json!({ "type": "input_json_delta", "partial_json": piece.text() }), true);
                }
            }
        }
        self.event(json!({ "type": "content_block_stop", "index": index }), false);
    }

    fn delta(&mut self, index: usize, delta: &Value, is_chunk: bool) {
        self.event(json!({ "type": "content_block_delta", "index": index, "delta": delta }), is_chunk);
    }

    fn ping(&mut self) {
        self.events.out.extend_from_slice(b"event: ping\ndata: {\"type\": \"ping\"}\n\n");
        self.events.end(false);
        if self.unknown {
            self.event(json!({ "type": "x_later", "index": 0 }), false);
        }
    }

    fn event(&mut self, mut event: Value, is_chunk: bool) {
        if self.unknown {
            later::mark(&mut event, &[]);
        }
        let kind = event["type"].as_str().unwrap_or_default();
        // Anthropic pads its events with spaces, each one differently.
        let padding = " ".repeat(self.events.count() * 7 % 16);
        let json = event.to_string();
        let (json, brace) = json.split_at(json.len() - 1);
        self.events.out.extend_from_slice(format!("event: {kind}\ndata: {json}{padding}{brace}\n\n").as_bytes());
        self.events.end(is_chunk);
    }
}
