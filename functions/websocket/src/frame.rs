//! What clients hear: `{"id": "1", "seq": 0, "event": "delta", "data": {...}}`, in frames that API Gateway takes.

use std::mem;

use lmo_shared::{
    clock::Timestamp,
    error::Error,
    http::{CallPiece, OwnEvent, Piece, Problem, retry_after},
    llm::Fields,
};
use serde::Serialize;
use serde_json::{Value, json};

/// The most bytes of a frame that can be split: API Gateway counts 32 KB as one message.
const FRAME: usize = 32 * 1024;
/// The most bytes of text in a piece of a frame that was split, as JSON has them; the rest is room for all around it.
const PIECE: usize = 30_000;
/// The most bytes of a frame that can't be split: what API Gateway takes in one call.
pub const FRAME_LIMIT: usize = 128 * 1024;

/// The frames of one request. They are counted, so that a client can tell one that comes twice from two.
#[derive(Debug)]
pub struct Frames {
    id: Option<String>,
    seq: u64,
}

#[derive(Serialize)]
struct Frame<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    seq: u64,
    event: &'a str,
    data: T,
}

/// The problem document of an error, with what HTTP says of it elsewhere.
#[derive(Serialize)]
struct Failed {
    #[serde(flatten)]
    problem: Problem,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Frames {
    /// Those of a request, by its client's name for it.
    pub fn new(id: Option<String>) -> Self {
        Self { id, seq: 0 }
    }

    /// The answer to a ping.
    pub fn pong(self) -> String {
        match self.id {
            Some(id) => json!({"id": id, "event": "pong"}),
            None => json!({"event": "pong"}),
        }
        .to_string()
    }

    /// An error, which is the last frame of its request.
    pub fn error(&mut self, error: &Error, request_id: &str, now: Timestamp) -> String {
        let problem = Problem::of(error, request_id);
        let failed = Failed { problem, retryable: error.is_retryable(), retry_after: retry_after(error, now) };
        self.frame("error", &failed)
    }

    /// The frames of events that are there at the same time: pieces of the same text share one, and what is too large
    /// for one is split, as far as it can be.
    pub fn events(&mut self, events: Vec<OwnEvent>) -> Vec<String> {
        let mut frames = Vec::with_capacity(1);
        for event in joined(events) {
            let frame = self.frame(event.name(), &event);
            if frame.len() <= FRAME {
                frames.push(frame);
            } else {
                self.seq -= 1;
                frames.extend(split(event).iter().map(|event| self.frame(event.name(), event)));
            }
        }
        frames
    }

    fn frame(&mut self, event: &str, data: &impl Serialize) -> String {
        let frame = Frame { id: self.id.as_deref(), seq: self.seq, event, data };
        self.seq += 1;
        // Data is made of maps with text keys; there is nothing in it that JSON can't say.
        serde_json::to_string(&frame).unwrap_or_default()
    }
}

fn joined(events: Vec<OwnEvent>) -> Vec<OwnEvent> {
    let mut all: Vec<OwnEvent> = Vec::with_capacity(events.len());
    for event in events {
        match (all.last_mut(), &event) {
            (Some(OwnEvent::Delta(last)), OwnEvent::Delta(next)) if is_more_text(last, next) => {
                last.text.push_str(&next.text);
            }
            (Some(OwnEvent::ToolCall(last)), OwnEvent::ToolCall(next)) if is_more_of_call(last, next) => {
                last.arguments.push_str(&next.arguments);
            }
            _ => all.push(event),
        }
    }
    all
}

fn is_more_text(last: &Piece, next: &Piece) -> bool {
    last.choice == next.choice && last.extra.is_empty() && next.extra.is_empty()
}

fn is_more_of_call(last: &CallPiece, next: &CallPiece) -> bool {
    (last.choice, last.index) == (next.choice, next.index) && next.id.is_none() && next.name.is_none()
}

/// An event in pieces that a client puts together again as it does all pieces.
fn split(event: OwnEvent) -> Vec<OwnEvent> {
    match event {
        OwnEvent::Delta(Piece { choice, text, extra }) => {
            let mut pieces = Vec::new();
            let mut field = |name: &str, value| {
                let extra = Fields::from_iter([(name.to_owned(), value)]);
                pieces.push(OwnEvent::Delta(Piece { choice, text: String::new(), extra }));
            };
            for (name, value) in extra {
                match value {
                    Value::String(text) => cut(&text).into_iter().for_each(|piece| field(&name, piece.into())),
                    Value::Array(list) => list.into_iter().for_each(|one| field(&name, Value::Array(vec![one]))),
                    other => field(&name, other),
                }
            }
            let texts = cut(&text).into_iter().map(|text| Piece { choice, text, extra: Fields::new() });
            pieces.extend(texts.map(OwnEvent::Delta));
            pieces
        }
        OwnEvent::ToolCall(CallPiece { choice, index, mut id, mut name, arguments }) => {
            let piece = |arguments| CallPiece { choice, index, id: id.take(), name: name.take(), arguments };
            cut(&arguments).into_iter().map(piece).map(OwnEvent::ToolCall).collect()
        }
        whole @ (OwnEvent::Usage(_) | OwnEvent::Done(_)) => vec![whole],
    }
}

/// Text in pieces of at most [`PIECE`] bytes of JSON.
fn cut(text: &str) -> Vec<String> {
    let (mut pieces, mut piece, mut bytes) = (Vec::new(), String::new(), 0);
    for c in text.chars() {
        let more = in_json(c);
        if bytes + more > PIECE {
            pieces.push(mem::take(&mut piece));
            bytes = 0;
        }
        piece.push(c);
        bytes += more;
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// How many bytes a character takes in a JSON text, as `serde_json` writes it.
fn in_json(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests;
