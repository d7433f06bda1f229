//! The wire formats of providers, and what a provider answers in them: the stand-in, which takes no request that isn't
//! right, is sent each request that is measured.

use std::error::Error;

use lmo_bench::standin::Standin;
use lmo_shared::llm::{WireFormat, format::WireRequest};

/// The formats, and how the table calls them.
pub const FORMATS: [(WireFormat, &str); 5] = [
    (WireFormat::ChatCompletions, "chat completions"),
    (WireFormat::Messages, "Messages"),
    (WireFormat::Responses, "Responses"),
    (WireFormat::Gemini, "Gemini"),
    (WireFormat::Converse, "Converse"),
];

/// A provider's streamed answer to `request`, cut into its events.
pub async fn answer(
    standin: &Standin,
    format: WireFormat,
    request: WireRequest,
) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let version = match format {
        WireFormat::ChatCompletions | WireFormat::Messages | WireFormat::Responses => "/v1",
        WireFormat::Gemini => "/v1beta",
        WireFormat::Converse => "",
    };
    let WireRequest { path, query, headers, body } = request;
    let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let url = format!("{}{version}/{}?{}", standin.origin(), path.join("/"), query.join("&"));
    let response = reqwest::Client::new().post(url).headers(headers).body(body).send().await?;
    let status = response.status();
    let bytes = response.bytes().await?;
    if !status.is_success() {
        return Err(format!("the stand-in refuses a request: {status} {}", String::from_utf8_lossy(&bytes)).into());
    }
    Ok(match format {
        WireFormat::ChatCompletions | WireFormat::Messages | WireFormat::Responses | WireFormat::Gemini => sse(&bytes),
        WireFormat::Converse => messages(&bytes),
    })
}

/// Server-sent events, each with the empty line behind it; some providers end lines with a carriage return, too.
fn sse(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    let behind = |rest: &[u8]| {
        let at = |end: &[u8]| Some(rest.windows(end.len()).position(|bytes| bytes == end)? + end.len());
        at(b"\n\n").or_else(|| at(b"\r\n\r\n"))
    };
    while let Some(length) = behind(rest) {
        let (event, after) = rest.split_at(length);
        events.push(event.to_owned());
        rest = after;
    }
    events
}

/// Messages of Amazon's event stream encoding, which begin with their length.
fn messages(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some(prefix) = rest.first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
        let Some((message, after)) = rest.split_at_checked(length.max(prefix.len())) else { break };
        messages.push(message.to_owned());
        rest = after;
    }
    messages
}
