//! What the tests of the guard have in common.

use serde_json::{Value, json};

use super::{Guard, Guardrails, StreamGuard, Verdict};
use crate::{
    error::{Error, Result},
    llm::{Chunk, Delta, FinishReason, Message, Prompt, Role},
};

mod answer;
mod config;
mod cuts;
mod request;

pub(super) fn compile(config: Value) -> Result<Guard> {
    Guard::compile(&serde_json::from_value::<Guardrails>(config).unwrap())
}

pub(super) fn guard(config: Value) -> Guard {
    compile(config).unwrap()
}

/// A request's text after the masks.
pub(super) fn masked(guard: &Guard, text: &str) -> String {
    let mut prompt = Prompt::new(vec![Message::text(Role::User, text)]);
    guard.check_prompt(&mut prompt).unwrap();
    prompt.messages.remove(0).content.unwrap().text()
}

fn text_chunk(text: &str) -> Chunk {
    Chunk { choices: vec![Delta { text: Some(text.to_owned()), ..Delta::default() }], ..Chunk::default() }
}

fn text_of(chunk: &Chunk) -> String {
    chunk.choices.iter().filter_map(|delta| delta.text.as_deref()).collect()
}

/// What goes out for a piece.
fn push(stream: &mut StreamGuard, piece: &str) -> String {
    let mut chunk = text_chunk(piece);
    assert!(matches!(stream.push(&mut chunk), Verdict::Pass | Verdict::Replace), "ended at {piece}");
    text_of(&chunk)
}

/// What goes out for an answer of these pieces, and the rule that ended it.
fn answer(guard: &Guard, pieces: &[&str]) -> (String, Option<String>) {
    let mut stream = guard.stream();
    let mut out = String::new();
    for piece in pieces {
        let mut chunk = text_chunk(piece);
        let verdict = stream.push(&mut chunk);
        out.push_str(&text_of(&chunk));
        if let Verdict::End { rule, .. } = verdict {
            return (out, Some(rule));
        }
    }
    let (chunk, verdict) = stream.finish();
    out.push_str(&text_of(&chunk));
    match verdict {
        Verdict::End { rule, .. } => (out, Some(rule)),
        Verdict::Pass | Verdict::Replace => (out, None),
    }
}
