//! Answers as Gemini writes them: a stream is a row of whole answers that each have a piece, and a call comes whole.

use bytes::Bytes;
use serde_json::{Value, json};

use super::fault;
use crate::standin::answer::{Answer, Block, Usage, joined};
use crate::standin::envelope::Envelope;
use crate::standin::events::{EventWriter, Events};
use crate::standin::later;
use crate::standin::vocabulary;

/// The body of a buffered answer, over several lines.
pub(in crate::standin) fn body(answer: &Answer, envelope: &Envelope<'_>) -> Bytes {
    let mut parts = Vec::new();
    for block in answer.blocks() {
        match block {
            Block::Thinking(words) => parts.push(json!({ "text": vocabulary::thoughts(words), "thought": true })),
            Block::Text(pieces) => parts.push(json!({ "text": joined(pieces) })),
            Block::Call { index, name, arguments } => {
                parts.extend(call(answer, envelope, index, name, &joined(arguments)));
            }
        }
    }
    if answer.calls() == 0
        && let Some(last) = parts.last_mut()
        && answer.usage.reasoning > 0
        && last.get("thought").is_none()
    {
        last["thoughtSignature"] = signature(envelope.number).into();
    }
    // What has no parts says nothing of them.
    let content = if parts.is_empty() { json!({ "role": "model" }) } else { content(&parts) };
    let candidate = json!({ "content": content, "finishReason": finish_reason(&answer.finish), "index": 0 });
    let body = response(&candidate, answer.usage, envelope);
    format!("{body:#}\n").into()
}

/// The body of a streamed answer. There is no `[DONE]`: the last event has the finish reason.
pub(in crate::standin) fn stream(answer: &Answer, envelope: &Envelope<'_>) -> Events {
    let mut writer = ResponseWriter {
        events: EventWriter::with_capacity(answer.pieces.len() + 2, 330),
        envelope,
        usage: Usage { completion: 0, reasoning: 0, ..answer.usage },
    };
    for block in answer.blocks() {
        match block {
            Block::Thinking(words) => {
                for thought in (0..words).map(vocabulary::thought) {
                    writer.usage.reasoning += 1;
                    writer.part(json!({ "text": thought, "thought": true }), 1);
                }
            }
            Block::Text(pieces) => {
                for piece in pieces {
                    writer.part(json!({ "text": piece.text() }), 1);
                }
            }
            Block::Call { index, name, arguments } => {
                let tokens = arguments.len() as u64 + 1;
                match call(answer, envelope, index, name, &joined(arguments)) {
                    Some(call) => writer.part(call, tokens),
                    None => writer.usage.completion += tokens,
                }
            }
        }
    }
    let mut last = json!({ "text": "" });
    if answer.usage.reasoning > 0 && answer.calls() == 0 {
        last["thoughtSignature"] = signature(envelope.number).into();
    }
    let reason = finish_reason(&answer.finish);
    writer.events.finish_next();
    writer.event(&json!({ "content": content(&[last]), "finishReason": reason, "index": 0 }), false);
    writer.events.done()
}

/// An event that is not JSON.
pub(in crate::standin) fn malformed() -> Bytes {
    Bytes::from_static(b"data: {\"candidates\": [{\"content\": {\"parts\": [{\r\n\r\n")
}

/// An event whose text is not UTF-8.
pub(in crate::standin) fn corrupt() -> Bytes {
    Bytes::from_static(
        b"data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"\xff\xfe\"}],\"role\": \"model\"},\"index\": 0}]}\
          \r\n\r\n",
    )
}

/// The event that ends a stream which fails half way.
pub(in crate::standin) fn error(code: Option<&str>) -> Bytes {
    let error = fault::error(code.map_or(500, fault::status_of), code);
    format!("data: {error}\r\n\r\n").into()
}

struct ResponseWriter<'a> {
    events: EventWriter,
    envelope: &'a Envelope<'a>,
    /// What has been answered so far.
    usage: Usage,
}

impl ResponseWriter<'_> {
    fn part(&mut self, part: Value, tokens: u64) {
        self.usage.completion += tokens;
        self.event(&json!({ "content": content(&[part]), "index": 0 }), true);
    }

    fn event(&mut self, candidate: &Value, is_chunk: bool) {
        let event = response(candidate, self.usage, self.envelope);
        // Google ends lines with both characters.
        self.events.out.extend_from_slice(format!("data: {event}\r\n\r\n").as_bytes());
        self.events.end(is_chunk);
    }
}

fn response(candidate: &Value, usage: Usage, envelope: &Envelope<'_>) -> Value {
    let mut response = json!({ "candidates": [candidate] });
    if envelope.usage {
        response["usageMetadata"] = usage_metadata(usage);
    }
    response["modelVersion"] = envelope.asked.model.clone().into();
    response["responseId"] = format!("{:022}", envelope.number).into();
    if envelope.unknown {
        later::mark(&mut response, &[]);
    }
    response
}

fn content(parts: &[Value]) -> Value {
    json!({ "parts": parts, "role": "model" })
}

/// The prompt's tokens have the cached ones, the candidates' have no thoughts. A count of 0 is left out.
fn usage_metadata(usage: Usage) -> Value {
    let Usage { prompt, cached, completion, reasoning, .. } = usage;
    let mut metadata = json!({ "promptTokenCount": prompt });
    let counts = [
        ("candidatesTokenCount", completion - reasoning),
        ("totalTokenCount", prompt + completion),
        ("cachedContentTokenCount", cached),
    ];
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        metadata[name] = count.into();
    }
    metadata["promptTokensDetails"] = json!([{ "modality": "TEXT", "tokenCount": prompt }]);
    if reasoning > 0 {
        metadata["thoughtsTokenCount"] = reasoning.into();
    }
    metadata
}

/// A call, if its arguments are whole. The first one after thoughts is signed.
fn call(answer: &Answer, envelope: &Envelope<'_>, index: usize, name: &str, arguments: &str) -> Option<Value> {
    let args: Value = serde_json::from_str(arguments).ok()?;
    let mut part = json!({ "functionCall": { "name": name, "args": args } });
    if index == 0 && answer.usage.reasoning > 0 {
        part["thoughtSignature"] = signature(envelope.number).into();
    }
    Some(part)
}

fn signature(number: u64) -> String {
    format!("CiQB{number:020}==")
}

fn finish_reason(finish: &str) -> &str {
    match finish {
        "stop" | "tool_calls" => "STOP",
        "length" => "MAX_TOKENS",
        "content_filter" => "SAFETY",
        other => other,
    }
}
