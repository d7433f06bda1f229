//! A stream as `OpenAI` writes it: chat completion chunks as server-sent events.

use bytes::Bytes;

use super::answer::{Answer, Piece, Usage};
use super::envelope::{Envelope, call_id, json, put, write_usage};
use super::vocabulary;

/// The events of a stream in one buffer.
pub(super) struct Events {
    pub bytes: Bytes,
    /// Where each event ends.
    pub ends: Vec<usize>,
    /// The index of the event with the finish reason.
    pub finish: usize,
}

/// The body of a streamed answer, `data: [DONE]` included.
pub(super) fn stream(answer: &Answer, envelope: &Envelope<'_>) -> Events {
    let mut head = b"data: ".to_vec();
    envelope.write(&mut head, "chat.completion.chunk");
    let mut writer = EventWriter {
        out: Vec::with_capacity((answer.pieces.len() + 4) * (head.len() + 120)),
        ends: Vec::with_capacity(answer.pieces.len() + 4),
        head,
        usage: envelope.usage,
        unknown: envelope.unknown,
    };
    // A single call comes with the role; parallel ones come after it.
    let pieces = match answer.pieces.as_slice() {
        [Piece::Call { index, name }, rest @ ..] if answer.calls() == 1 => {
            writer.chunk("null", |out| {
                out.extend_from_slice(br#""role":"assistant","content":null,"#);
                write_call(out, envelope.number, *index, name);
                out.extend_from_slice(br#","refusal":null"#);
            });
            rest
        }
        pieces => {
            let content = if answer.calls() > 0 { "null" } else { r#""""# };
            writer.chunk("null", |out| {
                put(out, format_args!(r#""role":"assistant","content":{content},"refusal":null"#));
            });
            pieces
        }
    };
    for piece in pieces {
        writer.chunk("null", |out| write_delta(out, envelope.number, piece));
    }
    let finish = writer.ends.len();
    writer.chunk(&json(&answer.finish), |_| {});
    if envelope.usage {
        writer.usage(answer.usage);
    }
    writer.out.extend_from_slice(b"data: [DONE]\n\n");
    writer.end();
    Events { bytes: writer.out.into(), ends: writer.ends, finish }
}

struct EventWriter {
    out: Vec<u8>,
    ends: Vec<usize>,
    head: Vec<u8>,
    usage: bool,
    unknown: bool,
}

impl EventWriter {
    fn chunk(&mut self, finish: &str, delta: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend_from_slice(&self.head);
        self.out.extend_from_slice(br#""choices":[{"index":0,"delta":{"#);
        let before = self.out.len();
        delta(&mut self.out);
        if self.unknown {
            let comma = if self.out.len() > before { "," } else { "" };
            put(&mut self.out, format_args!(r#"{comma}"x_delta":null"#));
        }
        self.out.extend_from_slice(br#"},"logprobs":null,"finish_reason":"#);
        self.out.extend_from_slice(finish.as_bytes());
        self.out.extend_from_slice(if self.unknown { br#","x_choice":1}]"# } else { b"}]" });
        self.out.extend_from_slice(if self.usage { b",\"usage\":null}\n\n" } else { b"}\n\n" });
        self.end();
    }

    fn usage(&mut self, usage: Usage) {
        self.out.extend_from_slice(&self.head);
        self.out.extend_from_slice(br#""choices":[],"usage":"#);
        write_usage(&mut self.out, usage, self.unknown);
        self.out.extend_from_slice(b"}\n\n");
        self.end();
    }

    fn end(&mut self) {
        self.ends.push(self.out.len());
    }
}

fn write_delta(out: &mut Vec<u8>, number: u64, piece: &Piece) {
    match piece {
        Piece::Word(index) => {
            out.extend_from_slice(br#""content":"#);
            vocabulary::write_json(out, *index, false);
        }
        Piece::Text(text) => put(out, format_args!(r#""content":{}"#, json(text))),
        Piece::Call { index, name } => write_call(out, number, *index, name),
        Piece::Arguments { index, fragment } => {
            let fragment = json(fragment);
            put(out, format_args!(r#""tool_calls":[{{"index":{index},"function":{{"arguments":{fragment}}}}}]"#));
        }
    }
}

fn write_call(out: &mut Vec<u8>, number: u64, index: usize, name: &str) {
    put(out, format_args!(r#""tool_calls":[{{"index":{index},"id":"{}","type":"function","#, call_id(number, index)));
    put(out, format_args!(r#""function":{{"name":{},"arguments":""}}}}]"#, json(name)));
}
