//! Answers to chunks, and what must be known from one event of a stream to the next.

use std::collections::BTreeMap;

use super::{
    answer::{self, Answer, Candidate, FunctionCall, Part},
    signature,
};
use crate::llm::{Chunk, Delta, Fields, FinishReason, ProviderError, Reported, ToolCallDelta};

/// Reads a whole answer, or the events of a stream one after the other.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The candidates that began, by their number.
    candidates: BTreeMap<u32, State>,
    usage: Option<Reported>,
}

#[derive(Debug, Default)]
struct State {
    /// How many calls it made.
    calls: u32,
    ended: bool,
}

impl Reader {
    /// The chunk that an answer makes; `None` if it only counts.
    ///
    /// # Errors
    /// `InStream`, `Unavailable` or `RateLimited` if it is an error, `Malformed` if it is no answer.
    pub(super) fn read(&mut self, json: &[u8]) -> Result<Option<Chunk>, ProviderError> {
        let answer: Answer =
            serde_json::from_slice(json).map_err(|error| ProviderError::Malformed(error.to_string()))?;
        if let Some(error) = answer.error {
            return Err(error.in_stream());
        }
        self.usage = answer.usage_metadata.and_then(|usage| usage.reported()).or(self.usage.take());
        let response = answer.response_id.unwrap_or_default();
        let mut choices = Vec::new();
        for (position, candidate) in (0..).zip(answer.candidates) {
            let choice = candidate.index.unwrap_or(position);
            let delta = self.candidates.entry(choice).or_default().take(candidate, choice, &response)?;
            if delta != (Delta { choice, ..Delta::default() }) {
                choices.push(delta);
            }
        }
        if let Some(reason) = answer.prompt_feedback.and_then(|feedback| feedback.block_reason) {
            let state = self.candidates.entry(0).or_default();
            if !state.ended {
                state.ended = true;
                choices.push(blocked(&reason));
            }
        }
        Ok((!choices.is_empty()).then(|| Chunk { choices, ..Chunk::default() }))
    }

    /// Whether something was said, and every candidate that began has ended.
    pub(super) fn is_complete(&self) -> bool {
        !self.candidates.is_empty() && self.candidates.values().all(|state| state.ended)
    }

    /// What was counted last.
    pub(super) fn usage(&mut self) -> Option<Reported> {
        self.usage.take()
    }
}

impl State {
    fn take(&mut self, candidate: Candidate, choice: u32, response: &str) -> Result<Delta, ProviderError> {
        let mut delta = Delta { choice, ..Delta::default() };
        let mut thoughts = String::new();
        for part in candidate.content.parts {
            if let Some(kind) = part.foreign() {
                return Err(ProviderError::Malformed(format!("a part of kind {kind}, which nobody asked for")));
            }
            let Part { text, thought, thought_signature, function_call, .. } = part;
            match text {
                Some(text) if thought => thoughts.push_str(&text),
                Some(text) if !text.is_empty() => delta.text.get_or_insert_default().push_str(&text),
                Some(_) | None => {}
            }
            let signed = thought_signature.as_deref().map(signature::fields).unwrap_or_default();
            match function_call {
                Some(call) => delta.tool_calls.push(self.call(call, signed, &format!("{response}_{choice}"))),
                None => delta.message_extra.extend(signed),
            }
        }
        if !thoughts.is_empty() {
            delta.message_extra.insert("reasoning_content".to_owned(), thoughts.into());
        }
        if let Some(logprobs) = candidate.logprobs_result {
            delta.choice_extra.insert("logprobs".to_owned(), logprobs.into_chat());
        }
        delta.finish = candidate.finish_reason.map(|reason| finish(reason, self.calls > 0));
        self.ended |= delta.finish.is_some();
        Ok(delta)
    }

    /// A call as one piece. An id of ours must not come twice in a conversation, so `answer` is in it: the response's id
    /// and the candidate's number.
    fn call(&mut self, call: FunctionCall, extra: Fields, answer: &str) -> ToolCallDelta {
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        let id = call.id.filter(|id| !id.is_empty());
        ToolCallDelta {
            index,
            id: Some(id.unwrap_or_else(|| format!("call_{answer}_{index}"))),
            name: Some(call.name),
            arguments: serde_json::Value::Object(call.args).to_string(),
            extra,
        }
    }
}

/// An answer to a prompt that Gemini refuses to read.
fn blocked(reason: &str) -> Delta {
    Delta {
        finish: Some(FinishReason::ContentFilter),
        message_extra: [("refusal".to_owned(), answer::refusal(reason))].into_iter().collect(),
        ..Delta::default()
    }
}

fn finish(reason: String, called: bool) -> FinishReason {
    match reason.as_str() {
        "STOP" if called => FinishReason::ToolCalls,
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        _ => FinishReason::Other(reason),
    }
}
