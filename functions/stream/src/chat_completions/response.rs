//! The response: chunks of a stream, or the whole completion.

use lmo_shared::{
    answer::{Answer, Choice, Completion, Done, Event},
    error::{Error, Result},
    http::{
        openai_body,
        sse::{Encoder, Frames},
    },
    llm::{Chunk, Delta, Fields, FinishReason, ToolCallDelta, Usage, WireFormat},
};
use serde::Serialize;
use serde_json::{Value, json};

/// What all chunks of an answer begin with.
#[derive(Clone, Serialize)]
pub(super) struct Head {
    id: String,
    created: u64,
    model: String,
}

impl Head {
    pub fn of(answer: &Answer) -> Self {
        Self {
            id: format!("chatcmpl-{}", answer.id),
            created: answer.id.made_at().seconds(),
            model: answer.model.clone(),
        }
    }
}

#[derive(Serialize)]
struct WireChunk<'a> {
    #[serde(flatten)]
    head: &'a Head,
    object: &'static str,
    choices: Vec<WireChoice>,
    #[serde(flatten)]
    extra: Fields,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Serialize)]
struct WireChoice {
    index: u32,
    delta: WireDelta,
    finish_reason: Option<FinishReason>,
    #[serde(flatten)]
    extra: Fields,
}

#[derive(Serialize)]
struct WireDelta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    #[serde(flatten)]
    extra: Fields,
}

/// The chunks of a stream.
pub(super) struct Chunks {
    head: Head,
    shows_usage: bool,
    /// Choices below this one have begun; the first chunk of each says whose message it is.
    begun: u32,
}

impl Chunks {
    pub fn new(head: Head, shows_usage: bool) -> Self {
        Self { head, shows_usage, begun: 0 }
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut Frames) {
        // What a provider of another format says beside the answer has no words here.
        if chunk.choices.is_empty() && chunk.extra.is_empty() {
            return;
        }
        let choices: Vec<_> = chunk.choices.into_iter().map(|delta| self.choice(delta)).collect();
        // With `include_usage`, all chunks but the last carry a null.
        let usage = self.shows_usage.then_some(Value::Null);
        self.put(choices, chunk.extra, usage, out);
    }

    fn choice(&mut self, delta: Delta) -> WireChoice {
        let first = delta.choice >= self.begun;
        self.begun = self.begun.max(delta.choice.saturating_add(1));
        WireChoice {
            index: delta.choice,
            delta: WireDelta {
                role: first.then_some("assistant"),
                // A provider whose content is not text has it among its own fields.
                content: delta.text.filter(|_| !delta.message_extra.contains_key("content")),
                tool_calls: delta.tool_calls.into_iter().map(wire_call).collect(),
                extra: delta.message_extra,
            },
            finish_reason: delta.finish,
            extra: delta.choice_extra,
        }
    }

    fn put(&self, choices: Vec<WireChoice>, extra: Fields, usage: Option<Value>, out: &mut Frames) {
        out.data(&WireChunk { head: &self.head, object: "chat.completion.chunk", choices, extra, usage });
    }
}

impl Encoder for Chunks {
    fn encode(&mut self, event: Result<Event>, out: &mut Frames) {
        match event {
            Ok(Event::Chunk(chunk)) => self.chunk(chunk, out),
            Ok(Event::Done(done)) => {
                if self.shows_usage {
                    self.put(Vec::new(), Fields::new(), Some(usage(&done)), out);
                }
                out.raw("[DONE]");
            }
            Err(error) => out.data(&openai_body(&error)),
        }
    }
}

fn wire_call(call: ToolCallDelta) -> Value {
    let mut function = Fields::new();
    function.extend(call.name.map(|name| ("name".to_owned(), name.into())));
    function.insert("arguments".to_owned(), call.arguments.into());
    let mut wire = Fields::new();
    wire.insert("index".to_owned(), call.index.into());
    if let Some(id) = call.id {
        wire.insert("id".to_owned(), id.into());
        wire.insert("type".to_owned(), "function".into());
    }
    wire.insert("function".to_owned(), function.into());
    wire.extend(call.extra);
    wire.into()
}

/// A whole completion.
pub(super) fn whole(head: &Head, completion: Completion) -> Result<Value> {
    let done = completion.done.ok_or_else(|| Error::internal("a completion without its end"))?;
    let choices: Vec<_> =
        completion.choices.into_iter().enumerate().map(|(index, choice)| wire_whole(index, choice)).collect();
    let mut body = json!({
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": choices,
        "usage": usage(&done),
    });
    if let Some(body) = body.as_object_mut() {
        body.extend(completion.extra);
    }
    Ok(body)
}

fn wire_whole(index: usize, choice: Choice) -> Value {
    let mut message = Fields::new();
    message.insert("role".to_owned(), "assistant".into());
    message.insert("content".to_owned(), choice.text.into());
    if !choice.tool_calls.is_empty() {
        message.insert("tool_calls".to_owned(), json!(choice.tool_calls));
    }
    message.extend(choice.message_extra);
    let mut wire = Fields::new();
    wire.insert("index".to_owned(), index.into());
    wire.insert("message".to_owned(), message.into());
    wire.insert("finish_reason".to_owned(), json!(choice.finish));
    wire.extend(choice.choice_extra);
    wire.into()
}

/// The provider's own usage object; if it sent none, what LMO counted.
fn usage(done: &Done) -> Value {
    if let Some(native) = done.native.as_ref().filter(|native| native.format == WireFormat::ChatCompletions) {
        return Value::Object(native.fields.clone());
    }
    let Usage { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, .. } = done.usage;
    json!({
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens.0.saturating_add(output_tokens.0),
        "prompt_tokens_details": {"cached_tokens": cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": reasoning_tokens},
    })
}
