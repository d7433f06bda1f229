//! A buffered answer as `OpenAI` writes it: the chat completion object.

use bytes::Bytes;

use super::parts::{call_id, json, put, write_envelope, write_usage};
use crate::standin::answer::{Answer, Piece};
use crate::standin::envelope::Envelope;
use crate::standin::vocabulary;

/// The body of a buffered answer.
pub(in crate::standin) fn body(answer: &Answer, envelope: &Envelope<'_>) -> Bytes {
    let mut out = Vec::with_capacity(700 + answer.pieces.len() * 12);
    write_envelope(&mut out, envelope, "chat.completion");
    out.extend_from_slice(br#""choices":[{"index":0,"message":{"role":"assistant","content":"#);
    write_content(&mut out, &answer.pieces);
    write_calls(&mut out, envelope.number, &answer.pieces);
    out.extend_from_slice(br#","refusal":null,"annotations":[]"#);
    if envelope.unknown {
        out.extend_from_slice(br#","x_message":{"later":true}"#);
    }
    put(&mut out, format_args!(r#"}},"logprobs":null,"finish_reason":{}"#, json(&answer.finish)));
    out.extend_from_slice(if envelope.unknown { br#","x_choice":1}]"# } else { b"}]" });
    if envelope.usage {
        out.extend_from_slice(br#","usage":"#);
        write_usage(&mut out, answer.usage, envelope.unknown);
    }
    out.push(b'}');
    out.into()
}

fn write_content(out: &mut Vec<u8>, pieces: &[Piece]) {
    if pieces.iter().all(|piece| matches!(piece, Piece::Call { .. } | Piece::Arguments { .. })) && !pieces.is_empty() {
        out.extend_from_slice(b"null");
        return;
    }
    out.push(b'"');
    for piece in pieces {
        match piece {
            Piece::Word(index) => vocabulary::write_json(out, *index, true),
            Piece::Text(text) => {
                let quoted = json(text);
                out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
            }
            Piece::Call { .. } | Piece::Arguments { .. } => {}
        }
    }
    out.push(b'"');
}

fn write_calls(out: &mut Vec<u8>, number: u64, pieces: &[Piece]) {
    let names = pieces.iter().filter_map(|piece| match piece {
        Piece::Call { index, name } => Some((*index, name)),
        Piece::Word(_) | Piece::Text(_) | Piece::Arguments { .. } => None,
    });
    let mut any = false;
    for (call, name) in names {
        let of_call = |piece: &Piece| match piece {
            Piece::Arguments { index, fragment } if *index == call => Some(fragment.clone()),
            Piece::Word(_) | Piece::Text(_) | Piece::Call { .. } | Piece::Arguments { .. } => None,
        };
        let arguments: String = pieces.iter().filter_map(of_call).collect();
        out.extend_from_slice(if any { b"," } else { br#","tool_calls":["# });
        put(out, format_args!(r#"{{"id":"{}","type":"function","function":"#, call_id(number, call)));
        put(out, format_args!(r#"{{"name":{},"arguments":{}}}}}"#, json(name), json(&arguments)));
        any = true;
    }
    if any {
        out.push(b']');
    }
}
