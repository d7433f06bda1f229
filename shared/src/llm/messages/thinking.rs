//! How much a model thinks: `thinking` and `output_config.effort`.
//!
//! A caller that gives `thinking` has its will; `reasoning_effort` beside it is the effort. That is how models are asked
//! that know adaptive thinking only. `reasoning_effort` alone is a budget:
//!
//! | effort | budget in tokens |
//! |---|---|
//! | `none`, `minimal` | no thinking |
//! | `low` | 1,024 |
//! | `medium` | 8,192 |
//! | `high` | 24,576 |
//! | `xhigh` | 32,768 |
//!
//! A budget is at most half of the output limit, so that an answer remains. If that is less than 1,024, the least that
//! the API takes, the model doesn't think. Neither does it in the middle of a round of tool calls that it began without:
//! the API would refuse that.

use serde_json::{Value, json};

use super::{blocks, parameters::given};
use crate::{
    llm::{Call, Message, Prompt, ProviderError, Role, WireFormat},
    money::Tokens,
};

/// The smallest budget that the API takes.
const LEAST: u64 = 1_024;

/// What a body says of thinking.
#[derive(Debug, PartialEq)]
pub(super) struct Thinking<'a> {
    /// `thinking`.
    pub config: Option<Value>,
    /// `output_config.effort`.
    pub effort: Option<&'a str>,
}

impl<'a> Thinking<'a> {
    pub(super) fn of(call: &Call<'a>) -> Result<Self, ProviderError> {
        let prompt = call.prompt;
        let effort = match given(prompt, "reasoning_effort") {
            None => None,
            Some(Value::String(word)) => Some(word.as_str()),
            Some(_) => return Err(unknown()),
        };
        let config = given(prompt, "thinking").cloned();
        if config.is_some() || prompt.origin == WireFormat::Messages {
            return Ok(Self { config, effort: effort.map(as_theirs).transpose()?.flatten() });
        }
        let wanted = effort.map(budget).transpose()?.flatten();
        let config = wanted.and_then(|wanted| within(wanted, call.max_output)).filter(|_| may_begin(prompt));
        Ok(Self { config: config.map(|budget| json!({"type": "enabled", "budget_tokens": budget})), effort: None })
    }
}

fn unknown() -> ProviderError {
    let message = "reasoning_effort must be `none`, `minimal`, `low`, `medium`, `high` or `xhigh`";
    ProviderError::unsupported("reasoning_effort", message)
}

fn budget(effort: &str) -> Result<Option<u64>, ProviderError> {
    match effort {
        "none" | "minimal" => Ok(None),
        "low" => Ok(Some(LEAST)),
        "medium" => Ok(Some(8_192)),
        "high" => Ok(Some(24_576)),
        "xhigh" => Ok(Some(32_768)),
        _ => Err(unknown()),
    }
}

fn as_theirs(effort: &str) -> Result<Option<&str>, ProviderError> {
    match effort {
        "none" => Ok(None),
        "minimal" => Ok(Some("low")),
        "low" | "medium" | "high" | "xhigh" => Ok(Some(effort)),
        _ => Err(unknown()),
    }
}

fn within(wanted: u64, limit: Tokens) -> Option<u64> {
    Some(wanted.min(limit.0 / 2)).filter(|budget| *budget >= LEAST)
}

/// Whether thinking may begin here: not if the last turn is one of tool calls without it.
fn may_begin(prompt: &Prompt) -> bool {
    let turn = prompt.messages.iter().rev().take_while(|message| message.role != Role::User);
    let calls = |message: &&Message| message.role == Role::Assistant && !message.tool_calls.is_empty();
    turn.filter(calls).last().is_none_or(|first| !blocks::thinking(first).is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn thinking(prompt: &Value, max_output: u64) -> Option<Value> {
        let prompt: Prompt = serde_json::from_value(prompt.clone()).unwrap();
        let max_output = Tokens(max_output);
        let call = Call { model: "m", prompt: &prompt, max_output, stream: false, time_left: Duration::ZERO };
        Thinking::of(&call).unwrap().config
    }

    #[test]
    fn a_budget_leaves_half_of_the_limit_to_the_answer() {
        let prompt = json!({"messages": [], "extra": {"reasoning_effort": "medium"}});
        assert_eq!(thinking(&prompt, 64_000), Some(json!({"type": "enabled", "budget_tokens": 8_192})));
        assert_eq!(thinking(&prompt, 4_096), Some(json!({"type": "enabled", "budget_tokens": 2_048})));
        assert_eq!(thinking(&prompt, 2_047), None);
    }

    #[test]
    fn thinking_does_not_begin_in_the_middle_of_a_round_of_tool_calls() {
        let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let round = |assistant: &Value| {
            let mut assistant = assistant.clone();
            assistant["role"] = "assistant".into();
            assistant["tool_calls"] = json!([call]);
            let result = json!({"role": "tool", "tool_call_id": "a", "content": "1"});
            json!({"messages": [{"role": "user", "content": "?"}, assistant, result], "extra": {"reasoning_effort": "low"}})
        };
        assert_eq!(thinking(&round(&json!({})), 64_000), None);
        let thought = json!({"thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]});
        assert!(thinking(&round(&thought), 64_000).is_some());
    }
}
