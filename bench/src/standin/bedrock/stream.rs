//! A stream as Converse writes it: binary messages from `messageStart` to `metadata`. A block of text has no start.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{LATENCY_MS, UNIONS, call_id, signature, stop_reason, usage};
use super::frame;
use crate::standin::answer::{Answer, Block};
use crate::standin::envelope::Envelope;
use crate::standin::events::{EventWriter, Events};
use crate::standin::later;
use crate::standin::vocabulary;

/// Bedrock pads its messages with the first of these characters, more or fewer, so that their size says nothing.
const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// The body of a streamed answer.
pub(in crate::standin) fn stream(answer: &Answer, envelope: &Envelope<'_>) -> Events {
    let mut writer = MessageWriter {
        events: EventWriter::with_capacity(answer.pieces.len() + 6, 240),
        number: envelope.number,
        unknown: envelope.unknown,
    };
    writer.event("messageStart", json!({ "role": "assistant" }), false);
    if envelope.unknown {
        writer.event("xLater", json!({}), false);
    }
    for (index, block) in answer.blocks().iter().enumerate() {
        writer.block(index, block);
    }
    writer.events.finish_next();
    writer.event("messageStop", json!({ "stopReason": stop_reason(&answer.finish) }), false);
    let mut metadata = json!({ "metrics": { "latencyMs": LATENCY_MS } });
    if envelope.usage {
        metadata["usage"] = usage(answer.usage);
    }
    writer.event("metadata", metadata, false);
    writer.events.done()
}

/// A message with right checksums whose payload is not JSON.
pub(in crate::standin) fn malformed() -> Bytes {
    message("event", ":event-type", "contentBlockDelta", br#"{"contentBlockIndex":0,"delta":{"#).into()
}

/// A message whose checksum is not that of its bytes.
pub(in crate::standin) fn corrupt() -> Bytes {
    let payload = br#"{"contentBlockIndex":0,"delta":{"text":"corrupt"}}"#;
    let mut message = message("event", ":event-type", "contentBlockDelta", payload);
    if let Some(last) = message.last_mut() {
        *last ^= 1;
    }
    message.into()
}

/// The exception that ends a stream which fails half way.
pub(in crate::standin) fn error(code: Option<&str>) -> Bytes {
    let payload = br#"{"message":"The system encountered an unexpected error during processing. Try again."}"#;
    message("exception", ":exception-type", code.unwrap_or("internalServerException"), payload).into()
}

fn message(kind: &str, name_header: &str, name: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 120);
    let headers = [(name_header, name), (":content-type", "application/json"), (":message-type", kind)];
    frame::write(&mut out, &headers, payload);
    out
}

struct MessageWriter {
    events: EventWriter,
    number: u64,
    unknown: bool,
}

impl MessageWriter {
    fn block(&mut self, index: usize, block: &Block<'_>) {
        match block {
            Block::Thinking(words) => {
                for thought in (0..*words).map(vocabulary::thought) {
                    self.delta(index, &json!({ "reasoningContent": { "text": thought } }), true);
                }
                let signature = signature(self.number);
                self.delta(index, &json!({ "reasoningContent": { "signature": signature } }), false);
            }
            Block::Text(pieces) => {
                for piece in *pieces {
                    self.delta(index, &json!({ "text": piece.text() }), true);
                }
            }
            Block::Call { index: call, name, arguments } => {
                let start = json!({ "toolUse": { "name": name, "toolUseId": call_id(self.number, *call) } });
                self.event("contentBlockStart", json!({ "contentBlockIndex": index, "start": start }), true);
                for piece in *arguments {
                    self.delta(index, &json!({ "toolUse": { "input": piece.text() } }), true);
                }
            }
        }
        self.event("contentBlockStop", json!({ "contentBlockIndex": index }), false);
    }

    fn delta(&mut self, index: usize, delta: &Value, is_chunk: bool) {
        self.event("contentBlockDelta", json!({ "contentBlockIndex": index, "delta": delta }), is_chunk);
    }

    fn event(&mut self, kind: &str, mut payload: Value, is_chunk: bool) {
        let padding = self.events.count() * 17 % PADDING.len() + 1;
        payload["p"] = PADDING[..padding].into();
        if self.unknown {
            later::mark(&mut payload, &UNIONS);
        }
        let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
        frame::write(&mut self.events.out, &headers, payload.to_string().as_bytes());
        self.events.end(is_chunk);
    }
}
