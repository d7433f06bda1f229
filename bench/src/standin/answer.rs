//! What is answered: the pieces, one per token, the finish reason and the usage. Nothing here knows the wire.

use super::directives::{Directives, ToolCall};
use super::request::ChatRequest;

const DEFAULT_TOKENS: usize = 16;
/// Characters of a tool's arguments in one chunk.
const FRAGMENT: usize = 4;

/// One token of the answer, and one chunk of a stream.
pub(super) enum Piece {
    Word(usize),
    Text(String),
    Call { index: usize, name: String },
    Arguments { index: usize, fragment: String },
}

pub(super) struct Answer {
    pub pieces: Vec<Piece>,
    pub finish: String,
    pub usage: Usage,
}

#[derive(Clone, Copy)]
pub(super) struct Usage {
    pub prompt: u64,
    pub cached: u64,
    pub completion: u64,
    pub reasoning: u64,
}

impl Answer {
    pub(super) fn to(request: &ChatRequest, directives: &Directives) -> Self {
        let calls = if request.has_tool_result() { &[] } else { directives.tools.as_slice() };
        let reasoning = directives.reason.min(request.limit());
        let room = usize::try_from(request.limit() - reasoning).unwrap_or(usize::MAX);
        let mut pieces = text(directives, calls.is_empty(), room);
        pieces.extend(calls.iter().enumerate().flat_map(|(index, call)| tool_pieces(index, call)));
        let finish = if pieces.len() > room || directives.reason > reasoning {
            "length"
        } else if calls.is_empty() {
            "stop"
        } else {
            "tool_calls"
        };
        pieces.truncate(room);
        let prompt = request.prompt_tokens();
        let usage = Usage {
            prompt,
            cached: directives.cached.min(prompt),
            completion: pieces.len() as u64 + reasoning,
            reasoning,
        };
        Self { pieces, finish: directives.finish.clone().unwrap_or_else(|| finish.to_owned()), usage }
    }

    pub(super) fn calls(&self) -> usize {
        self.pieces.iter().filter(|piece| matches!(piece, Piece::Call { .. })).count()
    }
}

fn text(directives: &Directives, alone: bool, room: usize) -> Vec<Piece> {
    if let Some(said) = &directives.say {
        return said_pieces(said);
    }
    match directives.tokens {
        None if !alone => Vec::new(),
        tokens => (0..tokens.unwrap_or(DEFAULT_TOKENS).min(room.saturating_add(1))).map(Piece::Word).collect(),
    }
}

/// Splits before each run of white space, so that the pieces joined are the text.
fn said_pieces(said: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut in_word = false;
    for (at, character) in said.char_indices() {
        if character.is_whitespace() && in_word {
            pieces.push(Piece::Text(said[start..at].to_owned()));
            start = at;
        }
        in_word = !character.is_whitespace();
    }
    if start < said.len() {
        pieces.push(Piece::Text(said[start..].to_owned()));
    }
    pieces
}

fn tool_pieces(index: usize, call: &ToolCall) -> Vec<Piece> {
    let characters: Vec<char> = call.arguments.chars().collect();
    let fragments =
        characters.chunks(FRAGMENT).map(|fragment| Piece::Arguments { index, fragment: fragment.iter().collect() });
    std::iter::once(Piece::Call { index, name: call.name.clone() }).chain(fragments).collect()
}
