//! Messages to `systemInstruction` and `contents` (Gemini API reference, "Content"). Messages of one side that follow
//! each other are one content, as a turn is to the model.
//!
//! Not said, as Gemini has no words for it: speakers' names, `cache_control` (Gemini finds by itself what it has
//! cached), an image's `detail`, and the text of earlier thoughts, of which Gemini wants only the signatures.

use std::{borrow::Cow, collections::HashMap};

use serde::Serialize;
use serde_json::Value;

use super::{
    generation::is_third,
    parts::{FunctionCall, FunctionResponse, Part, Payload, ResponsePart, parts},
    signature,
};
use crate::llm::{
    Call, Message, ProviderError, Role, ToolCall,
    words::{arguments, system_messages},
};

/// A turn of one side, or the system prompt.
#[derive(Debug, Serialize)]
pub(super) struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: Vec<Part<'a>>,
}

/// A whole conversation.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    /// The system prompt.
    pub(super) system: Option<Content<'a>>,
    /// The turns.
    pub(super) contents: Vec<Content<'a>>,
}

impl<'a> Conversation<'a> {
    /// That of a call's prompt.
    ///
    /// # Errors
    /// `Unsupported` if it has something that can't be said.
    pub(super) fn of(call: &Call<'a>) -> Result<Self, ProviderError> {
        let (system, turns) = call.prompt.messages.split_at(system_messages(call.prompt));
        let mut instruction = Vec::new();
        for (at, message) in system.iter().enumerate() {
            for part in parts(message, at)? {
                if !matches!(part.payload, Payload::Text(_)) {
                    let param = format!("messages[{at}].content");
                    return Err(ProviderError::unsupported(param, "a system message can only have text"));
                }
                instruction.push(part);
            }
        }
        let mut writer = Writer { contents: Vec::new(), names: HashMap::new(), signs: is_third(call.model) };
        for (at, message) in turns.iter().enumerate() {
            writer.message(message, system.len() + at)?;
        }
        let system = (!instruction.is_empty()).then_some(Content { role: None, parts: instruction });
        Ok(Self { system, contents: writer.contents })
    }
}

struct Writer<'a> {
    contents: Vec<Content<'a>>,
    /// The function of each call so far, by its id.
    names: HashMap<&'a str, &'a str>,
    /// Whether every first call of a turn needs a signature.
    signs: bool,
}

impl<'a> Writer<'a> {
    fn message(&mut self, message: &'a Message, at: usize) -> Result<(), ProviderError> {
        match &message.role {
            Role::User => {
                let parts = parts(message, at)?;
                self.turn("user", parts);
            }
            Role::Assistant => {
                let parts = self.answer(message, at)?;
                self.turn("model", parts);
            }
            Role::Tool => {
                let response = self.response(message, at)?;
                self.turn("user", vec![Payload::FunctionResponse(response).into()]);
            }
            Role::System | Role::Developer => {
                let message = "this model's provider takes system messages only at the beginning";
                return Err(ProviderError::unsupported(format!("messages[{at}].role"), message));
            }
            Role::Other(role) => {
                let message = format!("this model's provider has no role `{role}`");
                return Err(ProviderError::unsupported(format!("messages[{at}].role"), message));
            }
        }
        Ok(())
    }

    fn turn(&mut self, role: &'static str, parts: Vec<Part<'a>>) {
        match self.contents.last_mut().filter(|content| content.role == Some(role)) {
            Some(content) => content.parts.extend(parts),
            None if parts.is_empty() => {}
            None => self.contents.push(Content { role: Some(role), parts }),
        }
    }

    /// What the model said and called.
    fn answer(&mut self, message: &'a Message, at: usize) -> Result<Vec<Part<'a>>, ProviderError> {
        let mut parts = parts(message, at)?;
        if let Some(refusal) = message.extra.get("refusal").and_then(Value::as_str).filter(|_| parts.is_empty()) {
            parts.push(Payload::Text(refusal).into());
        }
        if let Some(signature) = signature::of(&message.extra) {
            // It may have come with a part of its own that has no text.
            if parts.is_empty() {
                parts.push(Payload::Text("").into());
            }
            parts.iter_mut().next_back().into_iter().for_each(|part| part.thought_signature = Some(signature));
        }
        for (place, call) in message.tool_calls.iter().enumerate() {
            let unsigned = (self.signs && place == 0).then_some(signature::UNSIGNED);
            let payload = self.call(call, &format!("messages[{at}].tool_calls[{place}]"))?;
            parts.push(Part { payload, thought_signature: signature::of(&call.extra).or(unsigned) });
        }
        Ok(parts)
    }

    fn call(&mut self, call: &'a ToolCall, param: &str) -> Result<Payload<'a>, ProviderError> {
        let Some(function) = call.function.as_ref().filter(|_| call.kind == "function") else {
            return Err(ProviderError::unsupported(format!("{param}.type"), "only calls of functions are supported"));
        };
        let Some(args) = arguments(function) else {
            let param = format!("{param}.function.arguments");
            return Err(ProviderError::unsupported(
                param,
                "this model's provider takes only a JSON object as arguments",
            ));
        };
        self.names.insert(&call.id, &function.name);
        Ok(Payload::FunctionCall(FunctionCall { id: &call.id, name: &function.name, args }))
    }

    /// A tool's result. Its text is in the fields that the documentation names for it.
    fn response(&mut self, message: &'a Message, at: usize) -> Result<FunctionResponse<'a>, ProviderError> {
        let id = message.tool_call_id.as_deref().unwrap_or_default();
        let Some(name) = self.names.get(id).copied().or(message.name.as_deref()) else {
            let param = format!("messages[{at}].tool_call_id");
            return Err(ProviderError::unsupported(param, "there is no call with this id before it"));
        };
        let failed = message.extra.get("is_error") == Some(&Value::Bool(true));
        let mut text = Cow::Borrowed("");
        let mut images = Vec::new();
        for part in parts(message, at)? {
            match part.payload {
                Payload::Text(piece) => text += piece,
                Payload::InlineData(inline_data) => images.push(ResponsePart { inline_data }),
                Payload::FileData(_) | Payload::FunctionCall(_) | Payload::FunctionResponse(_) => {
                    let message = "this model's provider takes images in a tool's result only as `data:` URLs";
                    return Err(ProviderError::unsupported(format!("messages[{at}].content"), message));
                }
            }
        }
        let field = if failed { "error" } else { "output" };
        let response = [(field.to_owned(), Value::from(text))].into_iter().collect();
        Ok(FunctionResponse { id, name, response, parts: images })
    }
}
