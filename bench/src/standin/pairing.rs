//! Tool calls and their results belong together: Anthropic and Bedrock want all results of a message's calls in the next
//! message, and refuse a conversation otherwise.

use std::collections::HashSet;

/// The calls and results of a conversation, message by message.
#[derive(Default)]
pub(super) struct Pairing {
    pub turns: Vec<Flow>,
}

/// The ids in one message.
#[derive(Default)]
pub(super) struct Flow {
    pub calls: Vec<String>,
    pub results: Vec<String>,
}

/// What is alone, and in which message.
pub(super) enum Unpaired {
    Call { turn: usize, id: String },
    Result { turn: usize, id: String },
}

impl Pairing {
    /// The first call without its result, or result without its call. Calls in the last message are still open.
    pub(super) fn check(&self) -> Result<(), Unpaired> {
        let mut open = HashSet::new();
        for (turn, flow) in self.turns.iter().enumerate() {
            for id in &flow.results {
                if !open.remove(id) {
                    return Err(Unpaired::Result { turn, id: id.clone() });
                }
            }
            if let Some(id) =
                self.turns[..turn].last().into_iter().flat_map(|last| &last.calls).find(|id| open.contains(id))
            {
                return Err(Unpaired::Call { turn: turn - 1, id: id.clone() });
            }
            open = flow.calls.iter().collect();
        }
        Ok(())
    }
}
