//! A response as server-sent events: a provider's own, if it speaks this format, else those that LMO writes for it.

use lmo_shared::{
    answer::{Done, Event},
    error::{Error, Result},
    http::{
        openai_body,
        sse::{Encoder, Frames},
    },
    llm::{Chunk, Fields, FinishReason, Native, WireFormat},
};
use serde_json::{Value, json};

use super::{
    output::Output,
    response::{Head, Status},
};

/// The events of an answer.
pub(super) struct Events {
    head: Head,
    source: Source,
}

/// Where the events come from, which the first piece decides.
enum Source {
    Unknown,
    Provider(Passed),
    Own(Output),
}

/// What was passed on.
#[derive(Default)]
struct Passed {
    /// The number of the next event.
    next: u64,
    /// The items that ended.
    output: Vec<Value>,
    /// Why the answer ended.
    finish: Option<FinishReason>,
    /// The response of a closing event, which waits until the request is in the books.
    closing: Option<Fields>,
}

impl Events {
    pub fn new(head: Head) -> Self {
        Self { head, source: Source::Unknown }
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut Frames) {
        let own = chunk.native.and_then(own_event);
        if let (Source::Unknown, Some(_)) = (&self.source, &own) {
            self.source = Source::Provider(Passed::default());
        }
        self.begin(out);
        match (&mut self.source, own) {
            (Source::Provider(passed), Some((kind, event))) => passed.pass(&self.head, &kind, event, out),
            (Source::Own(output), _) => {
                let choices = chunk.choices.into_iter().filter(|delta| delta.choice == 0);
                choices.for_each(|delta| output.append(delta, out));
            }
            // What closes has its own words at the end.
            (Source::Provider(passed), None) => {
                passed.finish = chunk.choices.into_iter().find_map(|delta| delta.finish);
            }
            (Source::Unknown, _) => {}
        }
    }

    /// Begins LMO's own events, unless others have begun.
    fn begin(&mut self, out: &mut Frames) {
        if let Source::Unknown = self.source {
            let mut output = Output::new(&self.head.key);
            for kind in ["response.created", "response.in_progress"] {
                let response = self.head.response(&Status::InProgress, &[], None);
                output.event(kind, json!({"response": response}), out);
            }
            self.source = Source::Own(output);
        }
    }

    fn done(&mut self, mut done: Done, out: &mut Frames) {
        self.begin(out);
        let native = done.native.take();
        match &mut self.source {
            Source::Provider(passed) => passed.close(&self.head, native, &done, out),
            Source::Own(output) => {
                let status = output.finish(out);
                let response = self.head.response(&status, &output.items(), Some(&done));
                output.event(&format!("response.{}", status.words().0), json!({"response": response}), out);
            }
            Source::Unknown => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Frames) {
        self.begin(out);
        let problem = openai_body(error).error;
        let fields = json!({"code": problem.code, "message": problem.message, "param": problem.param});
        match &mut self.source {
            Source::Provider(passed) => passed.event("error", fields, out),
            Source::Own(output) => output.event("error", fields, out),
            Source::Unknown => {}
        }
    }
}

impl Encoder for Events {
    fn encode(&mut self, event: Result<Event>, out: &mut Frames) {
        match event {
            Ok(Event::Chunk(chunk)) => self.chunk(chunk, out),
            Ok(Event::Done(done)) => self.done(done, out),
            Err(error) => self.error(&error, out),
        }
    }
}

impl Passed {
    /// Passes an event on, with this answer's id and model.
    fn pass(&mut self, head: &Head, kind: &str, mut event: Fields, out: &mut Frames) {
        if matches!(kind, "response.completed" | "response.incomplete") {
            self.closing = event.shift_remove("response").and_then(|response| serde_json::from_value(response).ok());
            return;
        }
        let number = event.get("sequence_number").and_then(Value::as_u64);
        self.next = number.unwrap_or(self.next).saturating_add(1);
        if kind == "response.output_item.done" {
            self.output.extend(event.get("item").cloned());
        }
        if let Some(Value::Object(response)) = event.get_mut("response") {
            head.put_on(response, None);
        }
        out.named(kind, &event);
    }

    /// Writes the closing event: the provider's, or, if it got lost on the way, one of the items that ended.
    fn close(&mut self, head: &Head, native: Option<Native>, done: &Done, out: &mut Frames) {
        let native = native.filter(|native| native.format == WireFormat::Responses).map(|native| native.fields);
        let output = std::mem::take(&mut self.output);
        let status = self.finish.take().map_or(Status::Completed, Status::of);
        let response = native.or_else(|| self.closing.take());
        let mut response = response.unwrap_or_else(|| head.response(&status, &output, None));
        head.put_on(&mut response, Some(done));
        let cut = response.get("status").is_some_and(|status| status == "incomplete");
        let kind = if cut { "response.incomplete" } else { "response.completed" };
        self.event(kind, json!({"response": response}), out);
    }

    fn event(&mut self, kind: &str, fields: Value, out: &mut Frames) {
        write(kind, self.next, fields, out);
        self.next = self.next.saturating_add(1);
    }
}

/// An event with its type and number.
pub(super) fn write(kind: &str, number: u64, fields: Value, out: &mut Frames) {
    let mut event = json!({"type": kind, "sequence_number": number});
    if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
        event.extend(fields);
    }
    out.named(kind, &event);
}

/// An event of a provider of this format, with its type, which must fit into a line. A whole response, which a provider
/// may give though a stream was wanted, is none.
fn own_event(native: Native) -> Option<(String, Fields)> {
    let kind = native.fields.get("type").filter(|_| native.format == WireFormat::Responses)?.as_str()?.to_owned();
    (!kind.contains(['\n', '\r'])).then_some((kind, native.fields))
}
