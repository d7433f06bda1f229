//! A prompt to the body of `POST /messages`.

use http::{HeaderName, HeaderValue};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use super::{
    parameters::{self, Metadata, OutputConfig},
    thinking::Thinking,
    tools,
    turns::{Conversation, Turn},
};
use crate::{
    llm::{Call, Fields, ProviderError, WireFormat, format::WireRequest},
    money::Tokens,
};

const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));

/// Fields that LMO writes itself, whatever the caller wrote.
const OURS: [&str; 3] = ["model", "max_tokens", "stream"];

/// Writes a call. A caller's own words in this format go through as they are, but for model, output limit and stream.
///
/// # Errors
/// `Unsupported` if the prompt has something that this format can't say.
pub fn write(call: &Call<'_>) -> Result<WireRequest, ProviderError> {
    let body = match call.prompt.native_of(WireFormat::Messages) {
        Some(own) => serde_json::to_vec(&Passed { call, own }),
        None => serde_json::to_vec(&Body::of(call)?),
    };
    let body = body.map_err(|error| ProviderError::unsupported("messages", error.to_string()))?;
    let mut request = WireRequest::new(["messages"], body);
    let (name, value) = VERSION;
    request.headers.insert(name, value);
    Ok(request)
}

/// A caller's own body.
struct Passed<'a> {
    call: &'a Call<'a>,
    own: &'a Fields,
}

impl Serialize for Passed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(None)?;
        body.serialize_entry("model", self.call.model)?;
        body.serialize_entry("max_tokens", &self.call.max_output)?;
        if self.call.stream {
            body.serialize_entry("stream", &true)?;
        }
        for (name, value) in self.own.iter().filter(|(name, _)| !OURS.contains(&name.as_str())) {
            body.serialize_entry(name, value)?;
        }
        body.end()
    }
}

/// A body that is translated.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: Tokens,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Value>,
    messages: Vec<Turn>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a Value>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a Value>,
}

impl<'a> Body<'a> {
    fn of(call: &'a Call<'a>) -> Result<Self, ProviderError> {
        let prompt = call.prompt;
        parameters::check(prompt)?;
        let Conversation { system, messages } = Conversation::of(&prompt.messages)?;
        let Thinking { config, effort } = Thinking::of(call)?;
        let tool_choice = tools::choice(prompt)?;
        parameters::check_thinking(prompt, config.as_ref(), tool_choice.as_ref())?;
        let given = |name| parameters::given(prompt, name);
        Ok(Self {
            model: call.model,
            max_tokens: call.max_output,
            stream: call.stream,
            system,
            messages,
            tools: prompt.tools.iter().map(tools::tool).collect::<Result<_, _>>()?,
            tool_choice,
            thinking: config,
            output_config: parameters::output_config(prompt, effort)?,
            temperature: prompt.temperature,
            top_p: given("top_p"),
            top_k: given("top_k"),
            stop_sequences: &prompt.stop,
            metadata: parameters::metadata(prompt),
            cache_control: given("cache_control"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::llm::{Message, Prompt, Role};

    #[test]
    fn the_version_is_sent_and_the_path_is_that_of_messages() {
        let prompt = Prompt::new(vec![Message::text(Role::User, "Hello")]);
        let call =
            Call { model: "m", prompt: &prompt, max_output: Tokens(1), stream: false, time_left: Duration::ZERO };
        let request = write(&call).unwrap();
        assert_eq!(request.headers["anthropic-version"], "2023-06-01");
        assert_eq!(request.path, ["messages"]);
    }
}
