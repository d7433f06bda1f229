//! The events of a stream: the provider's own, or ones that say the same ("Streaming messages").

use lmo_shared::{
    answer::{Done, Event},
    error::Result,
    http::{
        RequestLabel, anthropic_body,
        sse::{Encoder, Frames},
    },
    llm::{Chunk, Fields, WireFormat},
};
use serde_json::{Value, json};

use super::{
    blocks::Blocks,
    response::{Head, usage},
    stop::Stop,
};

/// The events of one answer.
pub(super) struct Events {
    head: Head,
    label: RequestLabel,
    begun: bool,
    /// Whether the provider's own events are passed on.
    passing: bool,
    blocks: Blocks,
    stop: Stop,
}

impl Events {
    pub fn new(head: Head, label: RequestLabel) -> Self {
        Self { head, label, begun: false, passing: false, blocks: Blocks::default(), stop: Stop::default() }
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut Frames) {
        let native = chunk.native.filter(|native| native.format == WireFormat::Messages);
        // A model that doesn't stream answers with one whole message, which is no event.
        if let Some(native) = native.filter(|native| native.fields.get("type").is_some_and(|kind| kind != "message")) {
            return self.pass(native.fields, out);
        }
        self.begin(out);
        for delta in chunk.choices.into_iter().filter(|delta| delta.choice == 0) {
            self.stop.take(&delta);
            self.blocks.add(&self.head, delta, out);
        }
    }

    /// Passes an event on. The end is left to [`Events::end`]: then the request is in the ledger.
    fn pass(&mut self, mut event: Fields, out: &mut Frames) {
        self.passing = true;
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        if kind == "message_start" {
            self.begun = true;
            if let Some(message) = event.get_mut("message").and_then(Value::as_object_mut) {
                self.head.put_on(message);
            }
        }
        if kind != "message_stop" {
            out.named(&kind, &event);
        }
    }

    fn begin(&mut self, out: &mut Frames) {
        if !std::mem::replace(&mut self.begun, true) {
            out.named("message_start", &json!({"type": "message_start", "message": self.head.message()}));
        }
    }

    fn end(&mut self, done: &Done, out: &mut Frames) {
        if !self.passing {
            self.begin(out);
            self.blocks.finish(&self.head, out);
            let (stop_reason, stop_sequence) = std::mem::take(&mut self.stop).said();
            let delta = json!({"stop_reason": stop_reason, "stop_sequence": stop_sequence});
            let end = json!({"type": "message_delta", "delta": delta, "usage": usage(done)});
            out.named("message_delta", &end);
        }
        out.named("message_stop", &json!({"type": "message_stop"}));
    }
}

impl Encoder for Events {
    fn encode(&mut self, event: Result<Event>, out: &mut Frames) {
        match event {
            Ok(Event::Chunk(chunk)) => self.chunk(chunk, out),
            Ok(Event::Done(done)) => self.end(&done, out),
            Err(error) => out.named("error", &anthropic_body(&error, &self.label)),
        }
    }
}
