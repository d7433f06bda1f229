//! LMO's own events of an answer: what server-sent events and the frames of a socket have in common.

use serde::Serialize;

use super::Cost;
use crate::{
    answer::{Answer, Event},
    id::RequestId,
    llm::{Chunk, Fields, FinishReason, ToolCallDelta, Usage},
};

/// One of them; serialized it is the event's data.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OwnEvent {
    /// A piece of the answer's text.
    Delta(Piece),
    /// A piece of a tool call.
    ToolCall(CallPiece),
    /// The tokens that are charged.
    Usage(Charged),
    /// The end.
    Done(End),
}

impl OwnEvent {
    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delta(_) => "delta",
            Self::ToolCall(_) => "tool_call",
            Self::Usage(_) => "usage",
            Self::Done(_) => "done",
        }
    }
}

/// A piece of the answer's text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Piece {
    /// Of which alternative.
    pub choice: u32,
    /// The text, to be put behind what came before.
    pub text: String,
    /// Fields of the provider's own. Texts and lists among them come in pieces, too.
    #[serde(flatten)]
    pub extra: Fields,
}

/// A piece of a tool call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallPiece {
    /// Of which alternative.
    pub choice: u32,
    /// Of which call.
    pub index: u32,
    /// The call's id, said once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The tool's name, said once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A piece of the arguments' JSON text.
    pub arguments: String,
}

/// The tokens that are charged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Charged {
    /// Their counts.
    #[serde(flatten)]
    pub usage: Usage,
    /// Whether LMO counted them, because the provider reported none.
    pub estimated: bool,
}

/// The end of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct End {
    /// The request's id.
    pub id: RequestId,
    /// The model that answered.
    pub model: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// What it cost.
    pub cost: Cost,
}

/// Makes the events of one answer.
#[derive(Debug)]
pub struct OwnEvents {
    id: RequestId,
    model: String,
    finish: Option<FinishReason>,
}

impl OwnEvents {
    /// Those of this answer.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        Self { id: answer.id, model: answer.model.clone(), finish: None }
    }

    /// Gives the events that a step of the answer is.
    pub fn read(&mut self, event: Event, mut give: impl FnMut(OwnEvent)) {
        match event {
            Event::Chunk(chunk) => self.chunk(chunk, give),
            Event::Done(done) => {
                give(OwnEvent::Usage(Charged { usage: done.usage, estimated: done.estimated }));
                let finish_reason = self.finish.take().unwrap_or(FinishReason::Stop);
                let cost = Cost::from(done.cost);
                give(OwnEvent::Done(End { id: self.id, model: self.model.clone(), finish_reason, cost }));
            }
        }
    }

    fn chunk(&mut self, chunk: Chunk, mut give: impl FnMut(OwnEvent)) {
        for delta in chunk.choices {
            // Providers begin with an empty text, and put nulls beside it.
            let (choice, text) = (delta.choice, delta.text.unwrap_or_default());
            let extra: Fields = delta.message_extra.into_iter().filter(|(_, value)| !value.is_null()).collect();
            if !text.is_empty() || !extra.is_empty() {
                give(OwnEvent::Delta(Piece { choice, text, extra }));
            }
            for call in delta.tool_calls {
                let ToolCallDelta { index, id, name, arguments, .. } = call;
                give(OwnEvent::ToolCall(CallPiece { choice, index, id, name, arguments }));
            }
            self.finish = delta.finish.or(self.finish.take());
        }
    }
}
