//! What the rules do to an answer, piece by piece. An answer that isn't streamed is one piece.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Compiled,
    choice::{Choice, Stop},
};
use crate::llm::{Chunk, Delta, FinishReason, Reported, WireFormat};

/// Guards one answer. Each choice ends on its own, but a rule that ends one ends all of them.
#[derive(Debug)]
pub struct StreamGuard {
    guard: Arc<Compiled>,
    choices: BTreeMap<u32, Choice>,
    end: Option<Stop>,
}

/// What is to be done with a chunk, or whether there is nothing left to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes out as it came.
    Pass,
    /// It goes out as it is now. It may have no choices any more, if all of its text is held.
    Replace,
    /// It goes out as it is now, with the finish reasons set, and nothing after it. Tokens that the model has made are
    /// charged all the same.
    End {
        /// Why: `ContentFilter` or `Length`.
        finish: FinishReason,
        /// The rule: the name of what is denied, `too_complex` if the rules would take too long for this text,
        /// `blocked_tools` or `max_output_bytes`.
        rule: String,
    },
}

impl StreamGuard {
    pub(super) fn new(guard: Arc<Compiled>) -> Self {
        Self { guard, choices: BTreeMap::new(), end: None }
    }

    /// Whether answers pass as they are.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.guard.passes_output()
    }

    /// Masks a chunk and holds back what isn't decided; what is held goes out with the end of its choice at the latest.
    pub fn push(&mut self, chunk: &mut Chunk) -> Verdict {
        if self.is_empty() {
            return Verdict::Pass;
        }
        if let Some(end) = &self.end {
            *chunk = Chunk::default();
            return end.verdict();
        }
        let native = chunk.native.take();
        let before = std::mem::take(&mut chunk.choices);
        for delta in before.clone() {
            let guard = &self.guard;
            let choice = self.choices.entry(delta.choice).or_insert_with(|| Choice::new(Arc::clone(guard)));
            let (delta, stop) = choice.pass(delta);
            chunk.choices.extend(delta);
            if let Some(stop) = stop {
                return self.end(chunk, stop);
            }
        }
        if native.is_none() && chunk.choices == before { Verdict::Pass } else { Verdict::Replace }
    }

    /// Says that the provider has said all, and returns what is held.
    pub fn finish(&mut self) -> (Chunk, Verdict) {
        let mut chunk = Chunk::default();
        if self.end.is_some() {
            return (chunk, Verdict::Pass);
        }
        for (index, choice) in &mut self.choices {
            let (delta, stop) = choice.finish(*index);
            chunk.choices.extend(delta);
            if let Some(stop) = stop {
                let verdict = self.end(&mut chunk, stop);
                return (chunk, verdict);
            }
        }
        let verdict = if chunk.choices.is_empty() { Verdict::Pass } else { Verdict::Replace };
        (chunk, verdict)
    }

    /// Drops a provider's last words that repeat the answer. Those of chat completions are token counts alone.
    pub fn report(&self, reported: &mut Reported) {
        if !self.is_empty() {
            reported.native = reported.native.take().filter(|native| native.format == WireFormat::ChatCompletions);
        }
    }

    /// Ends the choices that are still open: the one that met the rule has its reason already.
    fn end(&mut self, chunk: &mut Chunk, stop: Stop) -> Verdict {
        let open = self.choices.iter().filter(|(_, choice)| !choice.finished);
        let ends =
            open.map(|(index, _)| Delta { choice: *index, finish: Some(stop.finish.clone()), ..Delta::default() });
        chunk.choices.extend(ends);
        let verdict = stop.verdict();
        self.end = Some(stop);
        verdict
    }
}

impl Stop {
    fn verdict(&self) -> Verdict {
        Verdict::End { finish: self.finish.clone(), rule: self.rule.clone() }
    }
}
