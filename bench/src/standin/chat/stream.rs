//! A stream as `OpenAI` writes it: chat completion chunks as server-sent events.

use bytes::Bytes;

use super::parts::{call_id, json, put, write_envelope, write_usage};
use crate::standin::answer::{Answer, Piece, Usage};
use crate::standin::envelope::Envelope;
use crate::standin::events::{EventWriter, Events};
use crate::standin::openai;
use crate::standin::vocabulary;

/// The body of a streamed answer, `data: [DONE]` included.
pub(in crate::standin) fn stream(answer: &Answer, envelope: &Envelope<'_>) -> Events {
    let mut head = b"data: ".to_vec();
    write_envelope(&mut head, envelope, "chat.completion.chunk");
    let mut writer = ChunkWriter {
        events: EventWriter::with_capacity(answer.pieces.len() + 4, head.len() + 120),
        head,
        usage: envelope.usage,
        unknown: envelope.unknown,
    };
    // A single call comes with the role; parallel ones come after it.
    let pieces = match answer.pieces.as_slice() {
        [Piece::Call { index, name }, rest @ ..] if answer.calls() == 1 => {
            writer.chunk("null", false, |out| {
                out.extend_from_slice(br#""role":"assistant","content":null,"#);
                write_call(out, envelope.number, *index, name);
                out.extend_from_slice(br#","refusal":null"#);
            });
            rest
        }
        pieces => {
            let content = if answer.calls() > 0 { "null" } else { r#""""# };
            writer.chunk("null", false, |out| {
                put(out, format_args!(r#""role":"assistant","content":{content},"refusal":null"#));
            });
            pieces
        }
    };
    for piece in pieces {
        writer.chunk("null", true, |out| write_delta(out, envelope.number, piece));
    }
    writer.events.finish_next();
    writer.chunk(&json(&answer.finish), false, |_| {});
    if envelope.usage {
        writer.usage(answer.usage);
    }
    writer.events.out.extend_from_slice(b"data: [DONE]\n\n");
    writer.events.end(false);
    writer.events.done()
}

/// An event that is not JSON.
pub(in crate::standin) fn malformed() -> Bytes {
    Bytes::from_static(b"data: {\"id\":\"chatcmpl-\",\"choices\":[{\n\n")
}

/// An event whose text is not UTF-8.
pub(in crate::standin) fn corrupt() -> Bytes {
    Bytes::from_static(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n")
}

/// The event that ends a stream which fails half way.
pub(in crate::standin) fn error(code: Option<&str>) -> Bytes {
    let error = openai::error("The server had an error while processing your request.", "server_error", None, code);
    format!("data: {error}\n\n").into()
}

struct ChunkWriter {
    events: EventWriter,
    head: Vec<u8>,
    usage: bool,
    unknown: bool,
}

impl ChunkWriter {
    fn chunk(&mut self, finish: &str, is_chunk: bool, delta: impl FnOnce(&mut Vec<u8>)) {
        let out = &mut self.events.out;
        out.extend_from_slice(&self.head);
        out.extend_from_slice(br#""choices":[{"index":0,"delta":{"#);
        let before = out.len();
        delta(out);
        if self.unknown {
            let comma = if out.len() > before { "," } else { "" };
            put(out, format_args!(r#"{comma}"x_delta":null"#));
        }
        out.extend_from_slice(br#"},"logprobs":null,"finish_reason":"#);
        out.extend_from_slice(finish.as_bytes());
        out.extend_from_slice(if self.unknown { br#","x_choice":1}]"# } else { b"}]" });
        out.extend_from_slice(if self.usage { b",\"usage\":null}\n\n" } else { b"}\n\n" });
        self.events.end(is_chunk);
    }

    fn usage(&mut self, usage: Usage) {
        let out = &mut self.events.out;
        out.extend_from_slice(&self.head);
        out.extend_from_slice(br#""choices":[],"usage":"#);
        write_usage(out, usage, self.unknown);
        out.extend_from_slice(b"}\n\n");
        self.events.end(false);
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
