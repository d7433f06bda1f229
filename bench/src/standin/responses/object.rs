//! The response object: a whole answer, and what the first and the last events of a stream have.

use bytes::Bytes;
use serde_json::{Value, json};

use super::items::{self, Ending};
use crate::standin::answer::{Answer, Usage};
use crate::standin::envelope::Envelope;
use crate::standin::later;

/// The body of a buffered answer.
pub(in crate::standin) fn body(answer: &Answer, envelope: &Envelope<'_>) -> Bytes {
    let mut response = ended(answer, envelope);
    if envelope.unknown {
        later::mark(&mut response, &[]);
    }
    response.to_string().into()
}

/// The response when the answer is over.
pub(super) fn ended(answer: &Answer, envelope: &Envelope<'_>) -> Value {
    let ending = Ending::of(&answer.finish);
    let mut response = begun(envelope, ending.status);
    response["output"] = items::whole(answer, envelope).into();
    if ending.status == "completed" {
        response["completed_at"] = envelope.created.into();
    }
    if ending.status == "failed" {
        let message = "The server had an error while processing your request. Sorry about that!";
        response["error"] = json!({ "code": "server_error", "message": message });
    }
    if let Some(reason) = ending.reason {
        response["incomplete_details"] = json!({ "reason": reason });
    }
    if envelope.usage {
        response["usage"] = usage(answer.usage);
    }
    response
}

/// The response without its output. What the request set is repeated.
pub(super) fn begun(envelope: &Envelope<'_>, status: &str) -> Value {
    let asked = |key: &str, usual: Value| envelope.asked.fields.get(key).cloned().unwrap_or(usual);
    json!({
        "id": format!("resp_{:048}", envelope.number),
        "object": "response",
        "created_at": envelope.created,
        "status": status,
        "background": false,
        "completed_at": null,
        "error": null,
        "incomplete_details": null,
        "instructions": asked("instructions", Value::Null),
        "max_output_tokens": asked("max_output_tokens", Value::Null),
        "max_tool_calls": asked("max_tool_calls", Value::Null),
        "model": envelope.asked.model,
        "output": [],
        "parallel_tool_calls": asked("parallel_tool_calls", true.into()),
        "previous_response_id": asked("previous_response_id", Value::Null),
        "prompt_cache_key": asked("prompt_cache_key", Value::Null),
        "prompt_cache_retention": asked("prompt_cache_retention", Value::Null),
        "reasoning": asked("reasoning", json!({ "effort": null, "summary": null })),
        "safety_identifier": asked("safety_identifier", Value::Null),
        "service_tier": "default",
        "store": asked("store", true.into()),
        "temperature": asked("temperature", 1.0.into()),
        "text": asked("text", json!({ "format": { "type": "text" }, "verbosity": "medium" })),
        "tool_choice": asked("tool_choice", "auto".into()),
        "tools": asked("tools", json!([])),
        "top_logprobs": asked("top_logprobs", 0.into()),
        "top_p": asked("top_p", 1.0.into()),
        "truncation": asked("truncation", "disabled".into()),
        "usage": null,
        "user": asked("user", Value::Null),
        "metadata": asked("metadata", json!({}))
    })
}

fn usage(usage: Usage) -> Value {
    let Usage { prompt, cached, cache_write, completion, reasoning, .. } = usage;
    json!({
        "input_tokens": prompt,
        "input_tokens_details": { "cached_tokens": cached, "cache_write_tokens": cache_write },
        "output_tokens": completion,
        "output_tokens_details": { "reasoning_tokens": reasoning },
        "total_tokens": prompt + completion
    })
}
