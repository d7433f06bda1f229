//! What is answered: the pieces, one per token, the finish reason and the usage. Nothing here knows the wire.

use std::borrow::Cow;

use super::conversation::Conversation;
use super::directives::{Directives, ToolCall};
use super::vocabulary;

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
    /// Why it ended, in the words of chat completions.
    pub finish: String,
    pub usage: Usage,
}

/// Pieces that belong together in formats that answer in blocks.
pub(super) enum Block<'a> {
    /// So many words of reasoning.
    Thinking(usize),
    Text(&'a [Piece]),
    Call {
        index: usize,
        name: &'a str,
        arguments: &'a [Piece],
    },
}

/// The tokens of an answer, in the normal form that chat completions have.
#[derive(Clone, Copy, Default)]
pub(super) struct Usage {
    /// All of the prompt's.
    pub prompt: u64,
    /// Those of them that were read from a cache.
    pub cached: u64,
    /// Those of them that were written to a cache.
    pub cache_write: u64,
    /// Those of the written ones that are kept for an hour.
    pub cache_write_1h: u64,
    /// All of the answer's, reasoning included.
    pub completion: u64,
    pub reasoning: u64,
}

impl Answer {
    pub(super) fn to(request: &Conversation, directives: &Directives) -> Self {
        let calls = if request.has_tool_result() { &[] } else { directives.tools.as_slice() };
        let reasoning = directives.reason.min(request.limit);
        let room = usize::try_from(request.limit - reasoning).unwrap_or(usize::MAX);
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
        let cached = directives.cached.min(prompt);
        let cache_write = directives.cache_write.min(prompt - cached);
        let usage = Usage {
            prompt,
            cached,
            cache_write,
            cache_write_1h: directives.cache_write_1h.min(cache_write),
            completion: pieces.len() as u64 + reasoning,
            reasoning,
        };
        Self { pieces, finish: directives.finish.clone().unwrap_or_else(|| finish.to_owned()), usage }
    }

    pub(super) fn calls(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.is_call()).count()
    }

    /// Reasoning, text and calls, in this order.
    pub(super) fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::with_capacity(2);
        // More could not be held in memory.
        let thoughts = usize::try_from(self.usage.reasoning).unwrap_or(usize::MAX);
        blocks.extend((thoughts > 0).then_some(Block::Thinking(thoughts)));
        let (text, mut rest) = before_call(&self.pieces);
        blocks.extend((!text.is_empty()).then_some(Block::Text(text)));
        while let [Piece::Call { index, name }, after @ ..] = rest {
            let (arguments, next) = before_call(after);
            blocks.push(Block::Call { index: *index, name, arguments });
            rest = next;
        }
        blocks
    }
}

impl Piece {
    /// What it adds to the text, or to the arguments of a call.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Word(index) => vocabulary::word(*index).into(),
            Self::Text(text) | Self::Arguments { fragment: text, .. } => text.into(),
            Self::Call { .. } => "".into(),
        }
    }

    fn is_call(&self) -> bool {
        matches!(self, Self::Call { .. })
    }
}

/// The whole text of some pieces.
pub(super) fn joined(pieces: &[Piece]) -> String {
    pieces.iter().map(Piece::text).collect()
}

fn before_call(pieces: &[Piece]) -> (&[Piece], &[Piece]) {
    pieces.split_at(pieces.iter().position(Piece::is_call).unwrap_or(pieces.len()))
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
