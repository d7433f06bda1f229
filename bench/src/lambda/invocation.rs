//! An event on its way through a function, from whoever invoked it to the end of the answer.

use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::answer::{Answer, FunctionError};

/// A piece of a response, as it arrived.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// One HTTP chunk, where the response is streamed.
    pub bytes: Bytes,
    /// When the host had it.
    pub at: Instant,
}

/// How a response begins.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub streamed: bool,
    pub content_type: String,
}

/// What the host passes on of an answer.
#[derive(Debug)]
pub(super) enum Piece {
    Taken(Instant),
    Head(Head),
    Chunk(Chunk),
    Error(FunctionError),
    End(Instant),
}

impl Piece {
    /// A function's error, posted or in trailers.
    pub fn error(kind: &str, body: &str) -> Self {
        Self::Error(FunctionError { kind: kind.to_owned(), body: body.to_owned() })
    }
}

/// An invocation that is under way.
#[derive(Debug)]
pub struct Invocation {
    pieces: mpsc::UnboundedReceiver<Piece>,
    answer: Answer,
    over: bool,
}

impl Invocation {
    pub(super) fn new(pieces: mpsc::UnboundedReceiver<Piece>) -> Self {
        Self { pieces, answer: Answer::default(), over: false }
    }

    /// The next piece of the response, as soon as the host has it; `None` after the last one.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        while !self.over {
            match self.pieces.recv().await {
                Some(Piece::Taken(at)) => self.answer.taken = Some(at),
                Some(Piece::Head(Head { streamed, content_type })) => {
                    self.answer.streamed = streamed;
                    self.answer.content_type = content_type;
                }
                Some(Piece::Chunk(chunk)) => {
                    let bytes = chunk.bytes.clone();
                    self.answer.chunks.push(chunk);
                    return Some(bytes);
                }
                Some(Piece::Error(error)) => self.answer.error = Some(error),
                Some(Piece::End(at)) => {
                    self.answer.ended = Some(at);
                    self.over = true;
                }
                None => self.over = true,
            }
        }
        None
    }

    /// Waits for the rest.
    pub async fn answer(mut self) -> Answer {
        while self.chunk().await.is_some() {}
        self.answer
    }
}
