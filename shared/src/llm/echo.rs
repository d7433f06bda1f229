//! The model `lmo/echo`: it repeats what it hears, so that everything around a model can be tried without one. Its
//! tokens are words with the white space behind them, and it says what it is.

use std::iter;

use serde_json::{Value, json};

use super::{
    Call, Chunk, Delta, Event, FinishReason, Message, Native, Prompt, Reported, Role, ToolCallDelta, Usage, WireFormat,
};
use crate::money::Tokens;

const SILENCE: &str = "I am lmo/echo, a stand-in that repeats what it hears. Configure a provider to talk to a model.";

/// What it answers: a word per chunk if it streams, else all at once; then the words that it counted.
///
/// It repeats the last user's or tool's text, up to the first stop text and to the output limit in words. A user's text
/// `call <tool> <json>` makes it call that tool, if it is offered.
pub(super) fn answer(call: &Call<'_>) -> Vec<Event> {
    let reply = Reply::to(call.prompt);
    let limit = usize::try_from(call.max_output.0).unwrap_or(usize::MAX);
    let truncated = reply.pieces.len() > limit;
    let pieces = &reply.pieces[..reply.pieces.len().min(limit)];
    let finish = match (truncated, &reply.tool) {
        (true, _) => FinishReason::Length,
        (false, Some(_)) => FinishReason::ToolCalls,
        (false, None) => FinishReason::Stop,
    };
    let choices = call.prompt.choices.max(1);
    let mut events = Vec::new();
    if call.stream {
        for (at, piece) in pieces.iter().enumerate() {
            events.push(chunk(choices, |choice| reply.delta(choice, at == 0, piece.clone())));
        }
        events.push(chunk(choices, |choice| Delta { choice, finish: Some(finish.clone()), ..Delta::default() }));
    } else {
        let whole = pieces.concat();
        let delta = |choice| Delta { finish: Some(finish.clone()), ..reply.delta(choice, true, whole.clone()) };
        events.push(chunk(choices, delta));
    }
    let words = u64::try_from(pieces.len()).unwrap_or(u64::MAX).saturating_mul(u64::from(choices));
    events.push(Event::Usage(counted(heard_words(call.prompt), words)));
    events
}

/// What it would say without a limit, a token each.
struct Reply {
    tool: Option<String>,
    pieces: Vec<String>,
}

impl Reply {
    fn to(prompt: &Prompt) -> Self {
        let last = prompt.messages.iter().rfind(|message| matches!(message.role, Role::User | Role::Tool));
        let heard = last.map(text).unwrap_or_default();
        if last.is_some_and(|message| message.role == Role::User)
            && let Some((tool, arguments)) = asked_call(prompt, &heard)
        {
            // The name is sent with the first word of the arguments, and they are never empty.
            return Self { tool: Some(tool.to_owned()), pieces: words(arguments) };
        }
        let mut said = if heard.trim().is_empty() { SILENCE.to_owned() } else { format!("lmo/echo heard: {heard}") };
        let stops = prompt.stop.iter().filter(|stop| !stop.is_empty());
        if let Some(at) = stops.filter_map(|stop| said.find(stop.as_str())).min() {
            said.truncate(at);
        }
        Self { tool: None, pieces: words(&said) }
    }

    fn delta(&self, choice: u32, first: bool, part: String) -> Delta {
        let Some(tool) = &self.tool else { return Delta { choice, text: Some(part), ..Delta::default() } };
        let mut call = ToolCallDelta { arguments: part, ..ToolCallDelta::default() };
        if first {
            call.id = Some(format!("call_echo_{choice}"));
            call.name = Some(tool.clone());
        }
        Delta { choice, tool_calls: vec![call], ..Delta::default() }
    }
}

/// The tool and the JSON text of `call <tool> <json>`, if the tool is offered and may be called.
fn asked_call<'a>(prompt: &Prompt, heard: &'a str) -> Option<(&'a str, &'a str)> {
    let (tool, arguments) = heard.trim().strip_prefix("call ")?.trim_start().split_once(char::is_whitespace)?;
    let offered = prompt.tools.iter().any(|offer| offer["function"]["name"] == tool);
    let allowed = prompt.tool_choice.as_ref().is_none_or(|choice| choice != "none");
    let valid = serde_json::from_str::<Value>(arguments).is_ok();
    (offered && allowed && valid).then_some((tool, arguments.trim()))
}

fn chunk(choices: u32, delta: impl Fn(u32) -> Delta) -> Event {
    Event::Chunk(Chunk { choices: (0..choices).map(delta).collect(), ..Chunk::default() })
}

fn counted(input: u64, output: u64) -> Reported {
    let usage = Usage { input_tokens: Tokens(input), output_tokens: Tokens(output), ..Usage::default() };
    let fields =
        [("prompt_tokens", input), ("completion_tokens", output), ("total_tokens", input.saturating_add(output))];
    let fields = fields.map(|(name, count)| (name.to_owned(), json!(count))).into_iter().collect();
    Reported { usage, native: Some(Native { format: WireFormat::ChatCompletions, fields }) }
}

fn heard_words(prompt: &Prompt) -> u64 {
    let words: usize = prompt.messages.iter().map(|message| text(message).split_whitespace().count()).sum();
    u64::try_from(words).unwrap_or(u64::MAX).max(1)
}

fn text(message: &Message) -> String {
    message.content.as_ref().map(super::Content::text).unwrap_or_default()
}

/// Words, each with the white space behind it; what precedes the first belongs to it.
fn words(text: &str) -> Vec<String> {
    let mut rest = text;
    iter::from_fn(|| {
        let word = rest.find(|c: char| !c.is_whitespace())?;
        let space = rest[word..].find(char::is_whitespace).map_or(rest.len(), |at| word + at);
        let next = rest[space..].find(|c: char| !c.is_whitespace()).map_or(rest.len(), |at| space + at);
        let (taken, left) = rest.split_at(next);
        rest = left;
        Some(taken.to_owned())
    })
    .collect()
}

#[cfg(test)]
mod tests;
