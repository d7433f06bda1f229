//! A buffered answer as Converse writes it, with its fields in the order of the alphabet.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::standin::answer::{Answer, Block, Usage, joined};
use crate::standin::envelope::Envelope;
use crate::standin::later;
use crate::standin::vocabulary;

/// Objects that have exactly one field.
pub(super) const UNIONS: [&str; 5] = ["output", "content", "delta", "start", "reasoningContent"];

/// What Bedrock says that it took; nobody measures the stand-in by it.
pub(super) const LATENCY_MS: u64 = 1;

/// The body of a buffered answer.
pub(in crate::standin) fn body(answer: &Answer, envelope: &Envelope<'_>) -> Bytes {
    let content: Vec<_> = answer.blocks().iter().map(|block| whole(envelope.number, block)).collect();
    let mut response = json!({
        "metrics": { "latencyMs": LATENCY_MS },
        "output": { "message": { "content": content, "role": "assistant" } },
        "stopReason": stop_reason(&answer.finish)
    });
    if envelope.usage {
        response["usage"] = usage(answer.usage);
    }
    if envelope.unknown {
        later::mark(&mut response, &UNIONS);
    }
    response.to_string().into()
}

/// `inputTokens` has neither the tokens read from the cache nor those written to it; the total has both.
pub(super) fn usage(usage: Usage) -> Value {
    let Usage { prompt, cached, cache_write, cache_write_1h, completion, .. } = usage;
    let mut details = Vec::new();
    for (ttl, tokens) in [("1h", cache_write_1h), ("5m", cache_write - cache_write_1h)] {
        details.extend((tokens > 0).then(|| json!({ "inputTokens": tokens, "ttl": ttl })));
    }
    let mut counts = json!({ "cacheReadInputTokens": cached, "cacheWriteInputTokens": cache_write });
    if !details.is_empty() {
        counts["cacheDetails"] = details.into();
    }
    counts["inputTokens"] = (prompt - cached - cache_write).into();
    counts["outputTokens"] = completion.into();
    counts["totalTokens"] = (prompt + completion).into();
    counts
}

pub(super) fn stop_reason(finish: &str) -> &str {
    match finish {
        "stop" => "end_turn",
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "content_filtered",
        other => other,
    }
}

pub(super) fn call_id(number: u64, index: usize) -> String {
    format!("tooluse_{number:018}{index:04}")
}

pub(super) fn signature(number: u64) -> String {
    format!("EqQBCkgIBBAB{number:020}==")
}

fn whole(number: u64, block: &Block<'_>) -> Value {
    match block {
        Block::Thinking(words) => {
            let text = json!({ "signature": signature(number), "text": vocabulary::thoughts(*words) });
            json!({ "reasoningContent": { "reasoningText": text } })
        }
        Block::Text(pieces) => json!({ "text": joined(pieces) }),
        Block::Call { index, name, arguments } => {
            // A call that the limit cut has no whole arguments.
            let input = serde_json::from_str(&joined(arguments)).unwrap_or_else(|_| json!({}));
            json!({ "toolUse": { "input": input, "name": name, "toolUseId": call_id(number, *index) } })
        }
    }
}
