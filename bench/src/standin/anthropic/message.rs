//! A buffered answer as Anthropic writes it: the message object.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::standin::answer::{Answer, Block, Usage, joined};
use crate::standin::envelope::Envelope;
use crate::standin::later;
use crate::standin::vocabulary;

/// The body of a buffered answer.
pub(in crate::standin) fn body(answer: &Answer, envelope: &Envelope<'_>) -> Bytes {
    let mut message = head(envelope);
    message["content"] = answer.blocks().iter().map(|block| whole_block(envelope.number, block)).collect();
    message["stop_reason"] = stop_reason(&answer.finish).into();
    message["stop_sequence"] = stop_sequence(answer, envelope);
    if envelope.usage {
        let mut usage = input_usage(answer.usage);
        usage["output_tokens"] = answer.usage.completion.into();
        usage["output_tokens_details"] = json!({ "thinking_tokens": answer.usage.reasoning });
        usage["service_tier"] = "standard".into();
        message["usage"] = usage;
    }
    if envelope.unknown {
        later::mark(&mut message, &[]);
    }
    message.to_string().into()
}

/// The message before it has content.
pub(super) fn head(envelope: &Envelope<'_>) -> Value {
    json!({
        "model": envelope.asked.model, "id": format!("msg_{:024}", envelope.number), "type": "message",
        "role": "assistant", "content": [], "stop_reason": null, "stop_sequence": null, "stop_details": null
    })
}

/// The prompt's tokens: `input_tokens` has neither those read from the cache nor those written to it.
pub(super) fn input_usage(usage: Usage) -> Value {
    let Usage { prompt, cached, cache_write, cache_write_1h, .. } = usage;
    json!({
        "input_tokens": prompt - cached - cache_write,
        "cache_creation_input_tokens": cache_write,
        "cache_read_input_tokens": cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cache_write - cache_write_1h,
            "ephemeral_1h_input_tokens": cache_write_1h
        }
    })
}

pub(super) fn stop_reason(finish: &str) -> &str {
    match finish {
        "stop" => "end_turn",
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "refusal",
        other => other,
    }
}

/// The text that matched, if that is the reason.
pub(super) fn stop_sequence(answer: &Answer, envelope: &Envelope<'_>) -> Value {
    if answer.finish == "stop_sequence" { envelope.asked.stop.clone().into() } else { Value::Null }
}

pub(super) fn call_id(number: u64, index: usize) -> String {
    format!("toolu_{number:020}{index:04}")
}

pub(super) fn signature(number: u64) -> String {
    format!("EqQBCgIYAhIM{number:020}==")
}

fn whole_block(number: u64, block: &Block<'_>) -> Value {
    match block {
        Block::Thinking(words) => json!({
            "type": "thinking", "thinking": vocabulary::thoughts(*words), "signature": signature(number)
        }),
        Block::Text(pieces) => json!({ "type": "text", "text": joined(pieces) }),
        Block::Call { index, name, arguments } => {
            // A call that the limit cut has no whole arguments.
            let input = serde_json::from_str(&joined(arguments)).unwrap_or_else(|_| json!({}));
            json!({ "type": "tool_use", "id": call_id(number, *index), "name": name, "input": input })
        }
    }
}
