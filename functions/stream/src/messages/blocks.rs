//! Pieces of an answer as content blocks, one after the other.
//!
//! Chat completions may speak of several calls of tools by turns; blocks can't. A call whose arguments aren't complete
//! yet stays open, and what comes for other blocks waits until they are.

use lmo_shared::{
    http::sse::Frames,
    llm::{Delta, ToolCallDelta},
};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{
    pieces::{Kind, Piece, begin_call, pieces},
    response::Head,
};

/// The blocks of an answer.
#[derive(Default)]
pub(super) struct Blocks {
    /// The index of the next block.
    next: u64,
    open: Option<Kind>,
    /// JSON text of the open call.
    arguments: String,
    /// Calls whose blocks have ended.
    ended: Vec<u32>,
    waiting: Vec<Piece>,
}

impl Blocks {
    /// Goes on with what a piece of the answer says.
    pub fn add(&mut self, head: &Head, delta: Delta, out: &mut Frames) {
        for piece in pieces(delta) {
            self.put(head, piece, out);
        }
    }

    /// Ends whatever is open and says what waited.
    pub fn finish(&mut self, head: &Head, out: &mut Frames) {
        self.close(out);
        while let Some(kind) = self.waiting.first().map(Piece::kind) {
            let waiting = std::mem::take(&mut self.waiting).into_iter();
            let (now, later): (Vec<_>, Vec<_>) = waiting.partition(|piece| piece.kind() == kind);
            self.waiting = later;
            for piece in now {
                self.write(head, piece, out);
            }
            self.close(out);
        }
    }

    fn put(&mut self, head: &Head, piece: Piece, out: &mut Frames) {
        let other = matches!(self.open, Some(open @ Kind::Call(_)) if open != piece.kind());
        if other && !self.is_complete() {
            self.waiting.push(piece);
            return;
        }
        self.write(head, piece, out);
        if !self.waiting.is_empty() && self.is_complete() {
            for piece in std::mem::take(&mut self.waiting) {
                self.put(head, piece, out);
            }
        }
    }

    /// Whether the open call has all of its arguments.
    fn is_complete(&self) -> bool {
        serde_json::from_str::<IgnoredAny>(&self.arguments).is_ok()
    }

    fn write(&mut self, head: &Head, piece: Piece, out: &mut Frames) {
        match piece {
            Piece::Text(text) => {
                self.enter(Kind::Text, &json!({"type": "text", "text": ""}), out);
                self.grow(&json!({"type": "text_delta", "text": text}), out);
            }
            Piece::Thought(thinking) => self.think(&thinking, out),
            Piece::Signature { thinking, signature } => {
                if self.open != Some(Kind::Thinking) {
                    self.think(&thinking, out);
                }
                self.grow(&json!({"type": "signature_delta", "signature": signature}), out);
                self.close(out);
            }
            Piece::Redacted(data) => {
                self.close(out);
                self.enter(Kind::Thinking, &json!({"type": "redacted_thinking", "data": data}), out);
                self.close(out);
            }
            Piece::Call(call) => self.call(head, call, out),
        }
    }

    fn think(&mut self, thinking: &str, out: &mut Frames) {
        self.enter(Kind::Thinking, &json!({"type": "thinking", "thinking": "", "signature": ""}), out);
        if !thinking.is_empty() {
            self.grow(&json!({"type": "thinking_delta", "thinking": thinking}), out);
        }
    }

    fn call(&mut self, head: &Head, call: ToolCallDelta, out: &mut Frames) {
        let kind = Kind::Call(call.index);
        if self.ended.contains(&call.index) {
            // Its arguments were complete: this is white space.
            return;
        }
        if self.open != Some(kind) {
            self.enter(kind, &begin_call(head, &call), out);
        }
        let arguments = call.arguments;
        if !arguments.is_empty() {
            self.arguments.push_str(&arguments);
            self.grow(&json!({"type": "input_json_delta", "partial_json": arguments}), out);
        }
    }

    fn enter(&mut self, kind: Kind, block: &Value, out: &mut Frames) {
        if self.open == Some(kind) {
            return;
        }
        self.close(out);
        self.open = Some(kind);
        let start = json!({"type": "content_block_start", "index": self.next, "content_block": block});
        out.named("content_block_start", &start);
    }

    fn grow(&self, delta: &Value, out: &mut Frames) {
        let event = json!({"type": "content_block_delta", "index": self.next, "delta": delta});
        out.named("content_block_delta", &event);
    }

    fn close(&mut self, out: &mut Frames) {
        let Some(kind) = self.open.take() else { return };
        out.named("content_block_stop", &json!({"type": "content_block_stop", "index": self.next}));
        self.next += 1;
        if let Kind::Call(index) = kind {
            self.ended.push(index);
            self.arguments.clear();
        }
    }
}
