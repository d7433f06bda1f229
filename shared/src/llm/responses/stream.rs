//! The bytes of a streamed answer to events, as they come.

use serde_json::{Value, json};

use super::{
    failure,
    item::{self, text},
    usage,
};
use crate::llm::{
    Chunk, Delta, Event, Fields, Native, ProviderError, Reported, ToolCallDelta, WireFormat,
    sse::{Parser, TooLong},
};

/// Reads one streamed answer. Push bytes, then take events until there are none; after the last byte call `finish`.
///
/// Each event carries the provider's own, but for the closing one: its response is in what the provider reported, so
/// that it is passed on only when the request is in the books. If it counts nothing, it is passed on as the others.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    parser: Parser,
    calls: Calls,
    /// Some reasoning was told: a further part of it is set off.
    reasoned: bool,
    usage: Option<Reported>,
    done: bool,
}

impl StreamDecoder {
    /// Adds the next bytes of the body, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.parser.push(bytes);
    }

    /// The next event; `None` until more bytes are pushed.
    ///
    /// # Errors
    /// Whatever an error event stands for (`InStream`, `Unavailable`, `RateLimited`, `Rejected`), `Malformed` if the
    /// stream is not in its format. Nothing comes after either.
    pub fn next_event(&mut self) -> Result<Option<Event>, ProviderError> {
        while !self.done {
            let frame =
                self.parser.next_event().map_err(|error: TooLong| ProviderError::Malformed(error.to_string()))?;
            let Some(frame) = frame else { return Ok(None) };
            match frame.data.trim_ascii() {
                b"" | b"[DONE]" => {}
                data => {
                    let event = serde_json::from_slice(data);
                    let event = event.map_err(|error| ProviderError::Malformed(error.to_string()))?;
                    return self.read(event).map(|chunk| Some(Event::Chunk(chunk)));
                }
            }
        }
        Ok(self.usage.take().map(Event::Usage))
    }

    /// Whether the provider said that this was all. Bytes that follow are ignored.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Says that the body has ended, and returns the event that is left, if any.
    ///
    /// # Errors
    /// `Cut` if the answer is not complete.
    pub fn finish(&mut self) -> Result<Option<Event>, ProviderError> {
        if self.done { Ok(self.usage.take().map(Event::Usage)) } else { Err(ProviderError::Cut) }
    }

    fn read(&mut self, event: Value) -> Result<Chunk, ProviderError> {
        let delta = match text(&event, "type") {
            "error" => return Err(failure::read(&event)),
            "response.failed" => {
                return Err(failure::read(event.pointer("/response/error").unwrap_or(&Value::Null)));
            }
            "response.completed" | "response.incomplete" => return self.close(event),
            "" if event.get("error").is_some() => return Err(failure::read(&event)),
            "" => return Err(ProviderError::Malformed("an event without a type".to_owned())),
            kind => self.delta(kind, &event)?,
        };
        let choices = delta.into_iter().collect();
        Ok(Chunk { choices, native: Some(native(event)?), ..Chunk::default() })
    }

    /// What an event adds to the answer; `None` if the normal form has no words for it.
    fn delta(&mut self, kind: &str, event: &Value) -> Result<Option<Delta>, ProviderError> {
        let piece = text(event, "delta");
        Ok(match kind {
            "response.output_text.delta" => {
                let mut delta = Delta { text: Some(piece.to_owned()), ..Delta::default() };
                item::append_logprobs(&mut delta, event);
                Some(delta)
            }
            "response.refusal.delta" => Some(said("refusal", piece)),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.reasoned = true;
                Some(said("reasoning_content", piece))
            }
            "response.reasoning_summary_part.added" => self.next_part(),
            "response.content_part.added" if event.pointer("/part/type") == Some(&json!("reasoning_text")) => {
                self.next_part()
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                Some(called(self.calls.piece(event, piece)?))
            }
            "response.function_call_arguments.done" => self.calls.rest(event, text(event, "arguments"))?.map(called),
            "response.custom_tool_call_input.done" => self.calls.rest(event, text(event, "input"))?.map(called),
            "response.output_item.added" => {
                event.get("item").and_then(|item| self.calls.begin(event, item)).map(called)
            }
            "response.output_item.done" => event.get("item").and_then(|item| self.end(event, item)),
            _ => None,
        })
    }

    fn next_part(&mut self) -> Option<Delta> {
        self.reasoned.then(|| said("reasoning_content", item::BREAK))
    }

    /// What the end of an item adds: reasoning that is to be brought back, or a call that no event told before.
    fn end(&mut self, event: &Value, item: &Value) -> Option<Delta> {
        if text(item, "type") == "reasoning" {
            let mut delta = Delta::default();
            item::append_block(&mut delta, position(event), item);
            return (!delta.message_extra.is_empty()).then_some(delta);
        }
        self.calls.begin(event, item).map(called)
    }

    fn close(&mut self, mut event: Value) -> Result<Chunk, ProviderError> {
        let Some(response) = event.get_mut("response").filter(|response| response.is_object()) else {
            return Err(ProviderError::Malformed("an end without its response".to_owned()));
        };
        let finish = Some(item::finish(response, !self.calls.0.is_empty()));
        let choices = vec![Delta { finish, ..Delta::default() }];
        self.done = true;
        let Some(usage) = response.get("usage").and_then(usage::read) else {
            return Ok(Chunk { choices, native: Some(native(event)?), ..Chunk::default() });
        };
        self.usage = Some(Reported { usage, native: Some(native(response.take())?) });
        Ok(Chunk { choices, ..Chunk::default() })
    }
}

/// The calls of tools that began, by the position of their item, and whether their arguments were told.
#[derive(Debug, Default)]
struct Calls(Vec<(usize, bool)>);

impl Calls {
    /// Begins the call that an item is, unless it began before.
    fn begin(&mut self, event: &Value, item: &Value) -> Option<ToolCallDelta> {
        let position = position(event);
        if self.0.iter().any(|(known, _)| *known == position) {
            return None;
        }
        let call = item::call(item, u32::try_from(self.0.len()).unwrap_or(u32::MAX))?;
        self.0.push((position, !call.arguments.is_empty()));
        Some(call)
    }

    /// A piece of a call's arguments.
    fn piece(&mut self, event: &Value, arguments: &str) -> Result<ToolCallDelta, ProviderError> {
        let position = position(event);
        let (index, (_, told)) = (0..)
            .zip(&mut self.0)
            .find(|(_, (known, _))| *known == position)
            .ok_or_else(|| ProviderError::Malformed("arguments of a call that did not begin".to_owned()))?;
        *told = true;
        Ok(ToolCallDelta { index, arguments: arguments.to_owned(), ..ToolCallDelta::default() })
    }

    /// All arguments of a call, if none were told: some servers don't send them in pieces.
    fn rest(&mut self, event: &Value, arguments: &str) -> Result<Option<ToolCallDelta>, ProviderError> {
        let told = self.0.iter().any(|(known, told)| *known == position(event) && *told);
        if told { Ok(None) } else { self.piece(event, arguments).map(Some) }
    }
}

fn position(event: &Value) -> usize {
    let position = event.get("output_index").and_then(Value::as_u64);
    position.and_then(|position| usize::try_from(position).ok()).unwrap_or_default()
}

fn said(name: &str, text: &str) -> Delta {
    let message_extra: Fields = [(name.to_owned(), text.into())].into_iter().collect();
    Delta { message_extra, ..Delta::default() }
}

fn called(call: ToolCallDelta) -> Delta {
    Delta { tool_calls: vec![call], ..Delta::default() }
}

fn native(value: Value) -> Result<Native, ProviderError> {
    match value {
        Value::Object(fields) => Ok(Native { format: WireFormat::Responses, fields }),
        _ => Err(ProviderError::Malformed("an event that is no object".to_owned())),
    }
}
