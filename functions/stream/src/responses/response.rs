//! The response object, and a whole one.

use lmo_shared::{
    answer::{Answer, Choice, Completion, Done},
    error::{Error, Result},
    http::sse::Frames,
    llm::{Delta, Fields, FinishReason, Native, ToolCall, ToolCallDelta, Usage, WireFormat},
};
use serde_json::{Value, json};

use super::output::Output;

/// What all of an answer's response objects have in common.
#[derive(Clone)]
pub(super) struct Head {
    /// The part of the ids that is the request's.
    pub key: String,
    created: u64,
    model: String,
    /// What is repeated of the request.
    echo: Fields,
}

impl Head {
    pub fn of(answer: &Answer, echo: Fields) -> Self {
        let key = answer.id.ulid().to_string();
        Self { key, created: answer.id.made_at().seconds(), model: answer.model.clone(), echo }
    }

    #[cfg(test)]
    pub fn example() -> Self {
        let echo = super::request::ResponseRequest::example(json!({"input": "Hi"})).echo();
        Self { key: "01J".to_owned(), created: 1_700_000_000, model: "standin/small".to_owned(), echo }
    }

    /// The response at one moment.
    pub fn response(&self, status: &Status, output: &[Value], usage: Option<&Done>) -> Fields {
        let (status, reason) = status.words();
        let Value::Object(mut fields) = json!({
            "id": self.id(),
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": reason.map(|reason| json!({"reason": reason})),
            "model": self.model,
            "output": output,
            "previous_response_id": null,
            "service_tier": "default",
            "store": false,
            "truncation": "disabled",
            "usage": usage.map(wire_usage),
        }) else {
            return Fields::new();
        };
        fields.extend(self.echo.clone());
        fields
    }

    /// Puts this answer's id and model into a provider's own response, and LMO's count if the provider has none.
    pub fn put_on(&self, response: &mut Fields, done: Option<&Done>) {
        response.insert("id".to_owned(), self.id().into());
        response.insert("model".to_owned(), self.model.as_str().into());
        if let Some(done) = done.filter(|_| response.get("usage").is_none_or(Value::is_null)) {
            response.insert("usage".to_owned(), wire_usage(done));
        }
    }

    fn id(&self) -> String {
        format!("resp_{}", self.key)
    }
}

/// How far a response is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Status {
    InProgress,
    Completed,
    /// Cut short, for this reason.
    Incomplete(String),
}

impl Status {
    pub fn of(finish: FinishReason) -> Self {
        match finish {
            FinishReason::Stop | FinishReason::ToolCalls => Self::Completed,
            FinishReason::Length => Self::Incomplete("max_output_tokens".to_owned()),
            FinishReason::ContentFilter => Self::Incomplete("content_filter".to_owned()),
            FinishReason::Other(reason) => Self::Incomplete(reason),
        }
    }

    /// Its word, and why it is incomplete.
    pub fn words(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::InProgress => ("in_progress", None),
            Self::Completed => ("completed", None),
            Self::Incomplete(reason) => ("incomplete", Some(reason)),
        }
    }
}

/// A whole response: the provider's own, or what the completion amounts to.
pub(super) fn whole(head: &Head, completion: Completion) -> Result<Value> {
    let done = completion.done.as_ref().ok_or_else(|| Error::internal("a completion without its end"))?;
    if let Some(mut response) = completion.native.and_then(own_response) {
        head.put_on(&mut response, Some(done));
        return Ok(response.into());
    }
    let mut output = Output::new(&head.key);
    // No stream is wanted: the items are what counts.
    let mut unread = Frames::default();
    if let Some(choice) = completion.choices.into_iter().next() {
        output.append(delta(choice), &mut unread);
    }
    let status = output.finish(&mut unread);
    Ok(head.response(&status, &output.items(), Some(done)).into())
}

/// The response object of a provider of this format.
fn own_response(native: Native) -> Option<Fields> {
    let own = native.format == WireFormat::Responses && native.fields.contains_key("output");
    own.then_some(native.fields)
}

fn delta(choice: Choice) -> Delta {
    let Choice { text, tool_calls, finish, message_extra, choice_extra } = choice;
    let tool_calls = (0..).zip(tool_calls).map(|(index, call)| called(index, call)).collect();
    Delta { choice: 0, text, tool_calls, finish, message_extra, choice_extra }
}

fn called(index: u32, call: ToolCall) -> ToolCallDelta {
    let (name, arguments) = call.function.map(|function| (function.name, function.arguments)).unwrap_or_default();
    ToolCallDelta { index, id: Some(call.id), name: Some(name), arguments, extra: call.extra }
}

fn wire_usage(done: &Done) -> Value {
    let Usage { input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, .. } =
        done.usage;
    json!({
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": cached_input_tokens, "cache_write_tokens": cache_write_tokens},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "total_tokens": input_tokens.0.saturating_add(output_tokens.0),
    })
}
