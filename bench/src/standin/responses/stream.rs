//! A stream as Responses have it: named and numbered events that begin and end everything, down to a message's parts.

use bytes::Bytes;
use serde_json::{Value, json};

use super::items::{Ending, begun, id, output_text, summary};
use super::object;
use crate::standin::answer::{Answer, Block, Piece, joined};
use crate::standin::envelope::Envelope;
use crate::standin::events::{EventWriter, Events};
use crate::standin::later;
use crate::standin::vocabulary;

/// The body of a streamed answer. There is no `[DONE]`: the last event has the whole response.
pub(in crate::standin) fn stream(answer: &Answer, envelope: &Envelope<'_>) -> Events {
    let options = envelope.asked.fields.get("stream_options");
    let mut writer = ResponseWriter {
        events: EventWriter::with_capacity(answer.pieces.len() + 12, 240),
        envelope,
        obfuscates: options.and_then(|options| options["include_obfuscation"].as_bool()).unwrap_or(true),
    };
    let response = object::begun(envelope, "in_progress");
    writer.event("response.created", json!({ "response": response }), false);
    writer.event("response.in_progress", json!({ "response": response }), false);
    if envelope.unknown {
        writer.event("response.x_later", json!({}), false);
    }
    let whole = object::ended(answer, envelope);
    for (index, block) in answer.blocks().iter().enumerate() {
        writer.item(index, block, &whole["output"][index]);
    }
    writer.events.finish_next();
    writer.event(Ending::of(&answer.finish).event, json!({ "response": whole }), false);
    writer.events.done()
}

/// An event that is not JSON.
pub(in crate::standin) fn malformed() -> Bytes {
    Bytes::from_static(
        b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":{\n\n",
    )
}

/// An event whose text is not UTF-8.
pub(in crate::standin) fn corrupt() -> Bytes {
    Bytes::from_static(
        b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":0,\
          \"item_id\":\"msg_\",\"output_index\":0,\"content_index\":0,\"delta\":\"\xff\xfe\"}\n\n",
    )
}

/// The event that ends a stream which fails half way. `number` events came before it.
pub(in crate::standin) fn error(code: Option<&str>, number: usize) -> Bytes {
    let error = json!({
        "type": "error", "sequence_number": number, "code": code.unwrap_or("server_error"),
        "message": "The server had an error while processing your request. Sorry about that!", "param": null
    });
    format!("event: error\ndata: {error}\n\n").into()
}

struct ResponseWriter<'a> {
    events: EventWriter,
    envelope: &'a Envelope<'a>,
    obfuscates: bool,
}

impl ResponseWriter<'_> {
    fn item(&mut self, index: usize, block: &Block<'_>, whole: &Value) {
        let item = begun(block, index, self.envelope);
        self.event(
            "response.output_item.added",
            json!({ "output_index": index, "item": item }),
            matches!(block, Block::Call { .. }),
        );
        let place = json!({ "item_id": id(block, index, self.envelope.number), "output_index": index });
        match block {
            Block::Thinking(words) => self.summary(&with(&place, json!({ "summary_index": 0 })), *words),
            Block::Text(pieces) => self.text(&with(&place, json!({ "content_index": 0 })), pieces),
            Block::Call { name, arguments, .. } => self.arguments(&place, name, arguments),
        }
        self.event("response.output_item.done", json!({ "output_index": index, "item": whole }), false);
    }

    fn summary(&mut self, place: &Value, words: usize) {
        let text = vocabulary::thoughts(words);
        let added = json!({ "part": summary("") });
        self.event("response.reasoning_summary_part.added", with(place, added), false);
        for thought in (0..words).map(vocabulary::thought) {
            self.delta("response.reasoning_summary_text.delta", place, &thought, json!({}));
        }
        self.event("response.reasoning_summary_text.done", with(place, json!({ "text": text })), false);
        self.event("response.reasoning_summary_part.done", with(place, json!({ "part": summary(&text) })), false);
    }

    fn text(&mut self, place: &Value, pieces: &[Piece]) {
        let text = joined(pieces);
        self.event("response.content_part.added", with(place, json!({ "part": output_text("") })), false);
        for piece in pieces {
            self.delta("response.output_text.delta", place, &piece.text(), json!({ "logprobs": [] }));
        }
        self.event("response.output_text.done", with(place, json!({ "text": text, "logprobs": [] })), false);
        self.event("response.content_part.done", with(place, json!({ "part": output_text(&text) })), false);
    }

    fn arguments(&mut self, place: &Value, name: &str, pieces: &[Piece]) {
        for piece in pieces {
            self.delta("response.function_call_arguments.delta", place, &piece.text(), json!({}));
        }
        let done = json!({ "arguments": joined(pieces), "name": name });
        self.event("response.function_call_arguments.done", with(place, done), false);
    }

    fn delta(&mut self, kind: &str, place: &Value, delta: &str, more: Value) {
        let mut event = with(&with(place, json!({ "delta": delta })), more);
        if self.obfuscates {
            // As long as it takes to hide how long the delta is.
            event["obfuscation"] = "aB3dE5gH7jK9mN1p"[..(16 - delta.len() % 16)].into();
        }
        self.event(kind, event, true);
    }

    fn event(&mut self, kind: &str, event: Value, is_chunk: bool) {
        let mut event = with(&json!({ "type": kind, "sequence_number": self.events.count() }), event);
        if self.envelope.unknown {
            later::mark(&mut event, &[]);
        }
        self.events.out.extend_from_slice(format!("event: {kind}\ndata: {event}\n\n").as_bytes());
        self.events.end(is_chunk);
    }
}

/// The fields of both.
fn with(first: &Value, then: Value) -> Value {
    let mut all = first.clone();
    if let (Value::Object(all), Value::Object(then)) = (&mut all, then) {
        all.extend(then);
    }
    all
}
