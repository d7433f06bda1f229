//! Which turns of a conversation go to the model: the last ones that fit into its window. Pure.

use serde::{Deserialize, Serialize};

use super::past::{Past, continues};
use crate::{
    error::{Error, Result},
    llm::{Content, Message, Part, Prompt, catalogue::Model, estimate_tokens},
    money::Tokens,
};

/// How many times its estimate a text may have in tokens. The estimate of a token per four bytes is right for English
/// prose; code, and languages that aren't written in Latin letters, have up to twice as many. What is denser still (long
/// hexadecimal or base64 texts) can be too much in spite of it, and is left to the provider to refuse.
const SAFETY: u64 = 2;

/// How much of a model's window messages take, as far as it is known without the model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Weight {
    /// The estimated tokens of all text.
    pub tokens: Tokens,
    /// How many images there are.
    pub images: u64,
    /// The estimated tokens of each document; as many as there can be if it is not in the message itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Tokens>,
}

impl Weight {
    /// What a prompt takes.
    #[must_use]
    pub fn of(prompt: &Prompt) -> Self {
        let mut weight = Self { tokens: prompt.estimated_tokens(), ..Self::default() };
        for part in prompt.messages.iter().flat_map(parts) {
            match part {
                Part::ImageUrl { .. } => weight.images += 1,
                Part::File { file, .. } => {
                    let data = file.get("file_data").and_then(|data| data.as_str());
                    let bytes = data.map(|data| u64::try_from(data.len()).unwrap_or(u64::MAX));
                    weight.documents.push(bytes.map_or(Tokens(u64::MAX), estimate_tokens));
                }
                Part::Text { .. } | Part::Other(_) => {}
            }
        }
        weight
    }
}

fn parts(message: &Message) -> &[Part] {
    match &message.content {
        Some(Content::Parts(parts)) => parts,
        Some(Content::Text(_)) | None => &[],
    }
}

/// What a model's window has room for beside a request.
#[derive(Debug, Clone, Copy)]
pub struct Room<'a> {
    name: &'a str,
    model: &'a Model,
    taken: u64,
}

impl<'a> Room<'a> {
    /// The room that `request`, with its system prompt and tools, leaves in the window of the model that is called `name`.
    /// An answer of `most_output` tokens or fewer, as the request wants it, is left out too. A request that doesn't
    /// say what it wants keeps a quarter of the window for its answer.
    #[must_use]
    pub fn beside(request: &Prompt, name: &'a str, model: &'a Model, most_output: Tokens) -> Self {
        let mut room = Self { name, model, taken: 0 };
        let output = request.max_output.unwrap_or(model.context_window / 4).min(most_output.0);
        room.taken = room.tokens(&Weight::of(request)).saturating_add(output).saturating_add(model.overhead_tokens);
        room
    }

    /// The same, with `tokens` less: for a summary.
    #[must_use]
    pub fn without(self, tokens: Tokens) -> Self {
        Self { taken: self.taken.saturating_add(tokens.0), ..self }
    }

    /// How many tokens are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.model.context_window.saturating_sub(self.taken)
    }

    /// How many tokens something takes at most, as far as estimates go.
    #[must_use]
    pub fn tokens(&self, weight: &Weight) -> u64 {
        let text = weight.tokens.0.saturating_mul(SAFETY);
        let images = weight.images.saturating_mul(self.model.image_tokens);
        let most = self.model.document_tokens.min(self.model.context_window);
        let document = |tokens: &Tokens| tokens.0.saturating_mul(SAFETY).min(most);
        let documents = weight.documents.iter().map(document).fold(0, u64::saturating_add);
        text.saturating_add(images).saturating_add(documents)
    }
}

/// A conversation in two.
#[derive(Debug, Clone, PartialEq)]
pub struct Trimmed {
    /// The last turns, oldest first: all that fit.
    pub kept: Vec<Past>,
    /// Those before them, oldest first.
    pub dropped: Vec<Past>,
}

/// Keeps the last turns that fit. A turn is kept whole or not at all, and so are turns that a tool's call and its result
/// hold together. `new` are the messages that come behind them.
///
/// # Errors
/// `ContextTooLong` if `new` begins with a tool's result and the turn that called it doesn't fit.
pub fn trim(mut history: Vec<Past>, room: &Room<'_>, new: &[Message]) -> Result<Trimmed> {
    let mut taken = 0_u64;
    let mut end = history.len();
    while let Some(start) = history[..end].iter().rposition(|turn| !turn.continues()) {
        let tokens = history[start..end].iter().map(|turn| room.tokens(&turn.weight)).fold(0, u64::saturating_add);
        let all = taken.saturating_add(tokens);
        if all > room.left() {
            break;
        }
        (taken, end) = (all, start);
    }
    if end == history.len() && end > 0 && continues(new) {
        return Err(too_long(&history, room));
    }
    let kept = history.split_off(end);
    Ok(Trimmed { kept, dropped: history })
}

/// What the turns that are needed would take.
fn too_long(history: &[Past], room: &Room<'_>) -> Error {
    let needed =
        history.iter().rev().scan(true, |on, turn| std::mem::replace(on, *on && turn.continues()).then_some(turn));
    let needed = needed.map(|turn| room.tokens(&turn.weight)).fold(room.taken, u64::saturating_add);
    Error::ContextTooLong { needed, window: room.model.context_window, model: room.name.to_owned() }
}

#[cfg(test)]
mod tests;
