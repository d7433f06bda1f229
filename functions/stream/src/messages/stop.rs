//! Why an answer ended, in Anthropic's words.

use lmo_shared::{
    answer::Choice,
    llm::{Delta, FinishReason},
};
use serde_json::Value;

/// What is known so far of how an answer ends.
#[derive(Default)]
pub(super) struct Stop {
    finish: Option<FinishReason>,
    sequence: Option<String>,
    refused: bool,
    called: bool,
}

/// `stop_reason` and `stop_sequence` of a whole answer.
pub(super) fn of_choice(choice: &Choice) -> (&'static str, Option<String>) {
    let stop = Stop {
        finish: choice.finish.clone(),
        sequence: choice.choice_extra.get("stop_sequence").and_then(Value::as_str).map(str::to_owned),
        refused: choice.message_extra.get("refusal").is_some_and(Value::is_string),
        called: !choice.tool_calls.is_empty(),
    };
    stop.said()
}

impl Stop {
    pub fn take(&mut self, delta: &Delta) {
        self.finish = delta.finish.clone().or(self.finish.take());
        let sequence = delta.choice_extra.get("stop_sequence").and_then(Value::as_str);
        self.sequence = sequence.map(str::to_owned).or(self.sequence.take());
        self.refused |= delta.message_extra.get("refusal").is_some_and(Value::is_string);
        self.called |= !delta.tool_calls.is_empty();
    }

    /// `stop_reason` and `stop_sequence`.
    pub fn said(self) -> (&'static str, Option<String>) {
        let reason = match self.finish {
            Some(FinishReason::Length) => "max_tokens",
            Some(FinishReason::ContentFilter) => "refusal",
            Some(FinishReason::ToolCalls) => "tool_use",
            Some(FinishReason::Other(word)) if word == "pause_turn" => "pause_turn",
            // Some servers end a call of a tool like any other answer; clients go by this word.
            Some(FinishReason::Stop | FinishReason::Other(_)) | None => match (self.called, self.refused) {
                (true, _) => "tool_use",
                (false, true) => "refusal",
                (false, false) if self.sequence.is_some() => "stop_sequence",
                (false, false) => "end_turn",
            },
        };
        (reason, self.sequence.filter(|_| reason == "stop_sequence"))
    }
}
