//! Speaks every format as a client would: sends a prompt in it, and reads the events of the answer.

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use http::HeaderMap;
use serde_json::{Value, json};

use super::hearing::{Heard, hear, hear_whole};
use crate::standin::Standin;
use crate::standin::format::Format;

/// An answer as it came.
pub(super) struct Came {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Whether it ended as HTTP wants.
    pub is_whole: bool,
}

/// Where a format is spoken.
pub(super) fn path(format: Format, streams: bool) -> &'static str {
    match (format, streams) {
        (Format::Chat, _) => "/v1/chat/completions",
        (Format::Messages, _) => "/v1/messages",
        (Format::Responses, _) => "/v1/responses",
        (Format::Gemini, false) => "/v1beta/models/small:generateContent",
        (Format::Gemini, true) => "/v1beta/models/small:streamGenerateContent?alt=sse",
        (Format::Converse, false) => "/model/small/converse",
        (Format::Converse, true) => "/model/small/converse-stream",
    }
}

/// A prompt as one user message.
pub(super) fn request(format: Format, prompt: &str, streams: bool) -> Value {
    let message = json!({ "role": "user", "content": prompt });
    match format {
        Format::Chat => {
            json!({ "model": "small", "stream": streams, "stream_options": { "include_usage": true }, "messages": [message] })
        }
        Format::Messages => json!({ "model": "small", "max_tokens": 1000, "stream": streams, "messages": [message] }),
        Format::Responses => json!({ "model": "small", "stream": streams, "input": prompt }),
        Format::Gemini => json!({ "contents": [{ "role": "user", "parts": [{ "text": prompt }] }] }),
        Format::Converse => json!({ "messages": [{ "role": "user", "content": [{ "text": prompt }] }] }),
    }
}

/// The request with an output limit.
pub(super) fn limited(format: Format, mut body: Value, limit: u64) -> Value {
    match format {
        Format::Chat => body["max_completion_tokens"] = limit.into(),
        Format::Messages => body["max_tokens"] = limit.into(),
        Format::Responses => body["max_output_tokens"] = limit.into(),
        Format::Gemini => body["generationConfig"] = json!({ "maxOutputTokens": limit }),
        Format::Converse => body["inferenceConfig"] = json!({ "maxTokens": limit }),
    }
    body
}

pub(super) async fn send(standin: &Standin, path: &str, body: &Value) -> reqwest::Response {
    let request = super::client().post(format!("{}{path}", standin.origin()));
    request.header("anthropic-version", "2023-06-01").body(body.to_string()).send().await.unwrap()
}

pub(super) async fn post(standin: &Standin, path: &str, body: &Value) -> Came {
    let mut response = send(standin, path, body).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    let is_whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    Came { status, headers, body, is_whole }
}

impl Came {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The events of a stream, each with its name; what is not JSON is null.
    pub(super) fn events(&self, format: Format) -> Vec<(String, Value)> {
        if format == Format::Converse { frames(&self.body) } else { server_sent(&self.body) }
    }

    pub(super) fn heard(&self, format: Format, streams: bool) -> Heard {
        let mut heard = Heard::default();
        if !streams {
            hear_whole(format, &self.json(), &mut heard);
            return heard;
        }
        for (name, event) in self.events(format) {
            match event {
                Value::Null if name == "[DONE]" => heard.ended = true,
                Value::Null => heard.broken += 1,
                event => hear(format, &name, &event, &mut heard),
            }
        }
        heard
    }
}

/// Asks and hears.
pub(super) async fn ask(format: Format, prompt: &str, streams: bool) -> (Came, Heard) {
    ask_at(&super::standin(), format, prompt, streams).await
}

pub(super) async fn ask_at(standin: &Standin, format: Format, prompt: &str, streams: bool) -> (Came, Heard) {
    let came = post(standin, path(format, streams), &request(format, prompt, streams)).await;
    assert_eq!(came.status, 200, "{}", String::from_utf8_lossy(&came.body));
    let heard = came.heard(format, streams);
    (came, heard)
}

fn server_sent(body: &[u8]) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    let mut rest = body;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n" || pair == b"\n\r") {
        let (mut name, mut data) = (String::new(), Value::Null);
        for line in rest[..end].split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(text) = line.strip_prefix(b"event: ") {
                name = String::from_utf8(text.to_vec()).unwrap();
            } else if line == b"data: [DONE]" {
                name = "[DONE]".into();
            } else if let Some(json) = line.strip_prefix(b"data: ") {
                data = serde_json::from_slice(json).unwrap_or_default();
            }
        }
        events.push((name, data));
        let next = rest[end + 1..].iter().position(|byte| *byte == b'\n').unwrap();
        rest = &rest[end + next + 2..];
    }
    events
}

/// Every frame passes the checks of Amazon's own decoder. One that doesn't ends the stream.
fn frames(body: &[u8]) -> Vec<(String, Value)> {
    let (mut decoder, mut rest, mut events) = (MessageFrameDecoder::new(), body, Vec::new());
    loop {
        match decoder.decode_frame(&mut rest) {
            Ok(DecodedFrame::Complete(message)) => {
                let header = |name: &str| {
                    let header = message.headers().iter().find(|header| header.name().as_str() == name);
                    header.map(|header| header.value().as_string().unwrap().as_str().to_owned())
                };
                assert_eq!(header(":content-type").as_deref(), Some("application/json"));
                let name = match header(":message-type").as_deref() {
                    Some("event") => header(":event-type"),
                    Some("exception") => header(":exception-type").map(|name| format!("!{name}")),
                    _ => None,
                };
                events.push((name.unwrap(), serde_json::from_slice(message.payload()).unwrap_or_default()));
            }
            Ok(DecodedFrame::Incomplete) => return events,
            Err(_) => {
                events.push(("wrong checksum".into(), Value::Null));
                return events;
            }
        }
    }
}
