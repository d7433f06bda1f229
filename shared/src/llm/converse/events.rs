//! The events of a stream to pieces of an answer (Amazon Bedrock API reference, `ConverseStreamOutput`).

use aws_smithy_types::event_stream::Message;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::answer::{Thoughts, TokenUsage, end};
use crate::llm::{Chunk, Delta, Event, ProviderError, ToolCallDelta};

/// Reads the events of one stream in their order.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The calls that began.
    calls: Vec<Call>,
    thoughts: Thoughts,
    /// The answer is complete; what was counted may follow.
    pub(super) stopped: bool,
    /// What was counted is known: the last event.
    pub(super) counted: bool,
}

#[derive(Debug)]
struct Call {
    /// The number of its block.
    block: u32,
    /// Nothing of its arguments came yet.
    empty: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStart {
    content_block_index: u32,
    start: Start,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    tool_use: Option<ToolUseStart>,
}

#[derive(Debug, Deserialize)]
struct ToolUseStart {
    #[serde(rename = "toolUseId")]
    id: String,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockDelta {
    content_block_index: u32,
    delta: Piece,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Piece {
    text: Option<String>,
    tool_use: Option<ToolUsePiece>,
    reasoning_content: Option<ReasoningPiece>,
}

#[derive(Debug, Deserialize)]
struct ToolUsePiece {
    input: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReasoningPiece {
    text: Option<String>,
    signature: Option<String>,
    redacted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStop {
    content_block_index: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop {
    stop_reason: String,
    additional_model_response_fields: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    usage: Option<TokenUsage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Exception {
    message: String,
    original_status_code: u16,
    original_message: String,
}

impl Reader {
    /// The event that a frame stands for; `None` if it says nothing in the normal form.
    ///
    /// # Errors
    /// `InStream`, `Unavailable` or `RateLimited` if it is an error, `Malformed` if it is not what it says it is.
    pub(super) fn read(&mut self, frame: &Message) -> Result<Option<Event>, ProviderError> {
        let header = |name| {
            let found = frame.headers().iter().find(|header| header.name().as_str() == name);
            found.and_then(|header| header.value().as_string().ok()).map_or("", |text| text.as_str())
        };
        match header(":message-type") {
            "event" => self.event(header(":event-type"), frame.payload()),
            "exception" => Err(exception(header(":exception-type"), frame.payload())),
            "error" => {
                let message = format!("{}: {}", header(":error-code"), header(":error-message"));
                Err(ProviderError::InStream { message })
            }
            kind => Err(ProviderError::Malformed(format!("a frame of type `{kind}`"))),
        }
    }

    fn event(&mut self, kind: &str, payload: &[u8]) -> Result<Option<Event>, ProviderError> {
        let delta = match kind {
            "contentBlockStart" => self.start(parse(payload)?),
            "contentBlockDelta" => self.piece(parse(payload)?)?,
            "contentBlockStop" => self.stop(&parse(payload)?),
            "messageStop" => {
                let MessageStop { stop_reason, additional_model_response_fields } = parse(payload)?;
                self.stopped = true;
                Some(end(&stop_reason, additional_model_response_fields.as_ref()))
            }
            "metadata" => {
                self.counted = true;
                let usage = parse::<Metadata>(payload)?.usage;
                return Ok(usage.map(|usage| Event::Usage(usage.reported())));
            }
            // `messageStart`, which says only whose message it is, or an event that is newer than this.
            _ => None,
        };
        Ok(delta.map(|delta| Event::Chunk(Chunk { choices: vec![delta], ..Chunk::default() })))
    }

    fn start(&mut self, BlockStart { content_block_index, start }: BlockStart) -> Option<Delta> {
        let ToolUseStart { id, name } = start.tool_use?;
        let index = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        self.calls.push(Call { block: content_block_index, empty: true });
        let begun = ToolCallDelta { index, id: Some(id), name: Some(name), ..ToolCallDelta::default() };
        Some(Delta { tool_calls: vec![begun], ..Delta::default() })
    }

    fn piece(&mut self, BlockDelta { content_block_index, delta }: BlockDelta) -> Result<Option<Delta>, ProviderError> {
        if let Some(ToolUsePiece { input }) = delta.tool_use {
            let Some((index, call)) = self.call(content_block_index) else {
                return Err(ProviderError::Malformed("a piece of a call that did not begin".to_owned()));
            };
            call.empty &= input.is_empty();
            return Ok((!input.is_empty()).then(|| arguments(index, input)));
        }
        if let Some(ReasoningPiece { text, signature, redacted_content }) = delta.reasoning_content {
            self.thoughts.say(&text.unwrap_or_default());
            self.thoughts.sign(content_block_index, signature);
            self.thoughts.redact(content_block_index, redacted_content);
            let message_extra = self.thoughts.take();
            return Ok((!message_extra.is_empty()).then(|| Delta { message_extra, ..Delta::default() }));
        }
        Ok(delta.text.map(|text| Delta { text: Some(text), ..Delta::default() }))
    }

    /// A call without arguments has an empty text for them, which is no JSON.
    fn stop(&mut self, BlockStop { content_block_index }: &BlockStop) -> Option<Delta> {
        let (index, _) = self.call(*content_block_index).filter(|(_, call)| call.empty)?;
        Some(arguments(index, "{}".to_owned()))
    }

    fn call(&mut self, block: u32) -> Option<(u32, &mut Call)> {
        (0..).zip(&mut self.calls).find(|(_, call)| call.block == block)
    }
}

fn arguments(index: u32, arguments: String) -> Delta {
    let call = ToolCallDelta { index, arguments, ..ToolCallDelta::default() };
    Delta { tool_calls: vec![call], ..Delta::default() }
}

fn parse<T: DeserializeOwned>(payload: &[u8]) -> Result<T, ProviderError> {
    serde_json::from_slice(payload).map_err(|error| ProviderError::Malformed(error.to_string()))
}

/// An error in the middle of a stream. What a model's server said itself is in its status.
fn exception(kind: &str, payload: &[u8]) -> ProviderError {
    let said: Exception = serde_json::from_slice(payload).unwrap_or_default();
    match (kind, said.original_status_code) {
        ("throttlingException", _) | (_, 429) => ProviderError::RateLimited { retry_after: None },
        ("serviceUnavailableException", _) => ProviderError::Unavailable { status: 503, retry_after: None },
        (_, status @ (503 | 529)) => ProviderError::Unavailable { status, retry_after: None },
        _ => {
            let message = format!("{kind}: {} {}", said.message, said.original_message).trim_end().to_owned();
            ProviderError::InStream { message }
        }
    }
}
