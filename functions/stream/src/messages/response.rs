//! A whole message.

use lmo_shared::{
    answer::{Answer, Completion, Done},
    error::{Error, Result},
    llm::{Fields, Usage, WireFormat},
};
use serde_json::{Value, json};

use super::{pieces, stop};

/// What a message is called, and who answers.
pub(super) struct Head {
    id: String,
    model: String,
}

impl Head {
    pub fn of(answer: &Answer) -> Self {
        Self { id: format!("msg_{}", answer.id.ulid()), model: answer.model.clone() }
    }

    /// What tests call a message.
    #[cfg(test)]
    pub fn example() -> Self {
        Self { id: "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(), model: "default".to_owned() }
    }

    /// Puts LMO's own id and model into a provider's message.
    pub fn put_on(&self, message: &mut Fields) {
        message.insert("id".to_owned(), self.id.as_str().into());
        message.insert("model".to_owned(), self.model.as_str().into());
    }

    /// A message without content, as a stream begins with it.
    pub fn message(&self) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        })
    }

    /// What a call of a tool is called whose model gave it no id.
    pub fn tool_id(&self, index: u32) -> String {
        format!("{}_{index}", self.id.replacen("msg", "toolu", 1))
    }
}

/// A whole message: the provider's own, or one that says the same.
pub(super) fn whole(head: &Head, completion: Completion) -> Result<Value> {
    let done = completion.done.ok_or_else(|| Error::internal("a completion without its end"))?;
    if let Some(native) = completion.native.filter(|native| native.format == WireFormat::Messages) {
        let mut message = native.fields;
        head.put_on(&mut message);
        return Ok(message.into());
    }
    let choice = completion.choices.into_iter().next().unwrap_or_default();
    let (stop_reason, stop_sequence) = stop::of_choice(&choice);
    let mut message = head.message();
    message["stop_reason"] = stop_reason.into();
    message["stop_sequence"] = stop_sequence.into();
    message["content"] = pieces::whole(head, choice).into();
    message["usage"] = usage(&done);
    Ok(message)
}

/// What is charged, as Anthropic counts it: cached and written tokens beside the others.
pub(super) fn usage(done: &Done) -> Value {
    let Usage { input_tokens, cached_input_tokens, cache_write_tokens, cache_write_1h_tokens, .. } = done.usage;
    let uncached = input_tokens.minus_or_zero(cached_input_tokens).minus_or_zero(cache_write_tokens);
    let mut usage = json!({
        "input_tokens": uncached,
        "cache_creation_input_tokens": cache_write_tokens,
        "cache_read_input_tokens": cached_input_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cache_write_tokens.minus_or_zero(cache_write_1h_tokens),
            "ephemeral_1h_input_tokens": cache_write_1h_tokens,
        },
        "output_tokens": done.usage.output_tokens,
    });
    if done.usage.reasoning_tokens.0 > 0 {
        usage["output_tokens_details"] = json!({"thinking_tokens": done.usage.reasoning_tokens});
    }
    usage
}
