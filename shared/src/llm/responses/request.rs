//! A prompt to the body of `POST /v1/responses`.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use super::{input, parameter, tools};
use crate::llm::{Call, Fields, Prompt, ProviderError, WireFormat, format::WireRequest};

/// Writes a call: in the client's own words if it speaks this format, else translated.
///
/// # Errors
/// `Unsupported` if the prompt has something that this format can't say.
pub fn write(call: &Call<'_>) -> Result<WireRequest, ProviderError> {
    let body = match call.prompt.native_of(WireFormat::Responses) {
        Some(own) => serde_json::to_vec(&Own { call, own }),
        None => serde_json::to_vec(&translated(call)?),
    };
    let body = body.map_err(|error| ProviderError::unsupported("input", error.to_string()))?;
    Ok(WireRequest::new(["responses"], body))
}

/// What this format has no words for.
pub(super) fn cant(param: impl Into<String>) -> ProviderError {
    let param = param.into();
    let message = format!("the model's provider does not support `{param}`");
    ProviderError::unsupported(param, message)
}

/// The client's own request. Whoever read it let nothing pass that could cost more than the output limit says.
struct Own<'a> {
    call: &'a Call<'a>,
    own: &'a Fields,
}

impl Serialize for Own<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ours = ours(self.call);
        let options = |name: &str| name == "stream_options" && !self.call.stream;
        let own = self.own.iter().filter(|(name, _)| !options(name) && !ours.contains_key(name.as_str()));
        let mut body = serializer.serialize_map(None)?;
        for (name, value) in ours.iter().chain(own) {
            body.serialize_entry(name, value)?;
        }
        body.end()
    }
}

/// What LMO alone decides.
fn ours(call: &Call<'_>) -> Fields {
    let fields = [
        ("model", json!(call.model)),
        ("max_output_tokens", json!(call.max_output)),
        ("stream", json!(call.stream)),
        ("store", json!(false)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn translated(call: &Call<'_>) -> Result<Fields, ProviderError> {
    let prompt = call.prompt;
    check(prompt)?;
    let mut body = ours(call);
    let mut set = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    let (instructions, items) = input::write(&prompt.messages)?;
    if let Some(instructions) = instructions {
        set("instructions", instructions.into());
    }
    set("input", items.into());
    if !prompt.tools.is_empty() {
        set("tools", tools::write(&prompt.tools)?.into());
    }
    if let Some(choice) = prompt.tool_choice.as_ref().filter(|choice| !choice.is_null()) {
        set("tool_choice", tools::choice(choice)?);
    }
    if let Some(temperature) = prompt.temperature {
        set("temperature", json!(temperature));
    }
    if let Some(format) = prompt.response_format.as_ref().filter(|format| !format.is_null()) {
        set("text", json!({"format": tools::text_format(format)?}));
    }
    for (name, value) in prompt.extra.iter().filter(|(_, value)| !value.is_null()) {
        parameter::write(&mut body, name, value)?;
    }
    Ok(body)
}

fn check(prompt: &Prompt) -> Result<(), ProviderError> {
    if let Some(name) = prompt.untranslated.first() {
        return Err(cant(name));
    }
    if !prompt.stop.is_empty() {
        return Err(cant("stop"));
    }
    if prompt.choices != 1 {
        return Err(cant("n"));
    }
    if prompt.temperature.is_some_and(|temperature| !temperature.is_finite()) {
        return Err(ProviderError::unsupported("temperature", "the temperature is not finite"));
    }
    Ok(())
}
