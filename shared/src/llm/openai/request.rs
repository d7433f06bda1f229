//! A prompt to the body of `POST /chat/completions`.

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap},
};
use serde_json::{Value, json};

use super::foreign;
use crate::llm::{Call, ProviderError, WireFormat, format::WireRequest, provider::OutputLimitField};

/// Fields that a caller's `extra` can't set: LMO writes them itself, or they would get around the output limit, the
/// prompt's bound, the model or its price at one of the servers that speak this format.
const RESERVED: [&str; 24] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "response_format",
    "temperature",
    "stop",
    "n",
    "max_tokens",
    "max_completion_tokens",
    "stream",
    "stream_options",
    // The output limit again: llama.cpp, TGI, vLLM.
    "n_predict",
    "max_new_tokens",
    "max_output_tokens",
    "best_of",
    "use_beam_search",
    // Text from elsewhere: vLLM, OpenAI, OpenRouter.
    "chat_template",
    "web_search_options",
    "plugins",
    // Another model or another price: OpenRouter, OpenAI.
    "models",
    "route",
    "provider",
    "service_tier",
];

/// Writes a call. A prompt that was written as chat completions goes through as it is; of others only what every server
/// knows.
///
/// # Errors
/// `Unsupported` if the prompt has something that this format can't say.
pub fn write(call: &Call<'_>, limit: OutputLimitField) -> Result<WireRequest, ProviderError> {
    if call.prompt.origin == WireFormat::ChatCompletions {
        return encode(call, limit);
    }
    let prompt = foreign::translate(call.prompt)?;
    encode(&Call { prompt: &prompt, ..*call }, limit)
}

fn encode(call: &Call<'_>, limit: OutputLimitField) -> Result<WireRequest, ProviderError> {
    let body = body(call, limit).map_err(|error| ProviderError::unsupported("temperature", error.to_string()))?;
    Ok(WireRequest::new(["chat", "completions"], body))
}

/// The JSON text of the request.
///
/// # Errors
/// If the prompt holds a number that JSON can't (a temperature that isn't finite).
pub fn body(call: &Call<'_>, limit: OutputLimitField) -> Result<Vec<u8>, serde_json::Error> {
    if call.prompt.temperature.is_some_and(|temperature| !temperature.is_finite()) {
        return Err(serde_json::Error::custom("the temperature is not finite"));
    }
    serde_json::to_vec(&Body { call, limit })
}

struct Body<'a> {
    call: &'a Call<'a>,
    limit: OutputLimitField,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let prompt = self.call.prompt;
        let mut body = serializer.serialize_map(None)?;
        body.serialize_entry("model", self.call.model)?;
        body.serialize_entry("messages", &prompt.messages)?;
        if !prompt.tools.is_empty() {
            body.serialize_entry("tools", &prompt.tools)?;
        }
        for (name, value) in [("tool_choice", &prompt.tool_choice), ("response_format", &prompt.response_format)] {
            if let Some(value) = value {
                body.serialize_entry(name, value)?;
            }
        }
        if let Some(temperature) = prompt.temperature {
            body.serialize_entry("temperature", &temperature)?;
        }
        if !prompt.stop.is_empty() {
            body.serialize_entry("stop", &prompt.stop)?;
        }
        if prompt.choices != 1 {
            body.serialize_entry("n", &prompt.choices)?;
        }
        body.serialize_entry(self.limit.name(), &self.call.max_output)?;
        if self.call.stream {
            body.serialize_entry("stream", &true)?;
            body.serialize_entry("stream_options", &self.stream_options())?;
        }
        for (name, value) in prompt.extra.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str())) {
            body.serialize_entry(name, value)?;
        }
        body.end()
    }
}

impl Body<'_> {
    /// The caller's options, and always the counts: they are what is billed.
    fn stream_options(&self) -> Value {
        let mut options = match self.call.prompt.extra.get("stream_options") {
            Some(given @ Value::Object(_)) => given.clone(),
            Some(_) | None => json!({}),
        };
        options["include_usage"] = json!(true);
        options
    }
}
