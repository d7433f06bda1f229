//! Requests as prompts, and answers as events: what LMO writes itself is held against what providers write, and against
//! what the official clients demand of a stream.

mod accumulator;
mod answers;
mod requests;
mod streams;

use lmo_shared::{
    answer::{Done, Event},
    error::Result,
    http::sse::{Encoder, Frames},
    llm::{Event as ProviderEvent, Usage, WireFormat, sse::Parser},
    money::{NanoUsd, Tokens},
};
use serde_json::Value;

use super::{events::Events, response::Head};

/// What the end of an answer says if the provider counted this.
fn done(usage: Usage) -> Done {
    Done { usage, native: None, estimated: false, cost: NanoUsd(0) }
}

fn usage() -> Usage {
    Usage {
        input_tokens: Tokens(9),
        cached_input_tokens: Tokens(4),
        output_tokens: Tokens(5),
        reasoning_tokens: Tokens(2),
        ..Usage::default()
    }
}

/// The text of the events that an answer is written as.
fn text_of(events: impl IntoIterator<Item = Result<Event>>) -> Vec<u8> {
    let (mut encoder, mut out) = (Events::new(Head::example()), Frames::default());
    events.into_iter().for_each(|event| encoder.encode(event, &mut out));
    out.take().to_vec()
}

/// The events of a text. Each is named as its type.
fn read(text: &[u8]) -> Vec<Value> {
    let mut parser = Parser::default();
    parser.push(text);
    let mut events = Vec::new();
    while let Some(frame) = parser.next_event().unwrap() {
        let event: Value = serde_json::from_slice(frame.data).unwrap();
        assert_eq!(frame.event, event["type"].as_str().unwrap());
        events.push(event);
    }
    events
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// A golden of the provider's side.
fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../shared/goldens/responses/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The streams among the goldens that end well.
fn streams() -> Vec<(String, Vec<ProviderEvent>)> {
    let folder = format!("{}/../../shared/goldens/responses", env!("CARGO_MANIFEST_DIR"));
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let streams = paths.filter(|path| path.extension().is_some_and(|extension| extension == "sse"));
    let names = streams.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    let decoded: Vec<_> = names.filter_map(|name| Some((name.clone(), decode(&golden(&name))?))).collect();
    assert!(decoded.len() >= 10);
    decoded
}

fn decode(bytes: &[u8]) -> Option<Vec<ProviderEvent>> {
    let mut decoder = WireFormat::Responses.decoder();
    decoder.push(bytes);
    let mut events = Vec::new();
    while let Some(event) = decoder.next_event().ok()? {
        events.push(event);
    }
    decoder.finish().ok()?;
    Some(events)
}

/// What the pipeline makes of a provider's events, with or without the provider's own words.
fn piped(events: Vec<ProviderEvent>, native: bool) -> Vec<Result<Event>> {
    let mut reported = None;
    let mut piped = Vec::new();
    for event in events {
        match event {
            ProviderEvent::Chunk(mut chunk) => {
                chunk.native = chunk.native.filter(|_| native);
                piped.push(Ok(Event::Chunk(chunk)));
            }
            ProviderEvent::Usage(usage) => reported = Some(usage),
        }
    }
    let mut end = done(reported.as_ref().map_or_else(usage, |reported| reported.usage));
    end.native = reported.and_then(|reported| reported.native).filter(|_| native);
    piped.push(Ok(Event::Done(end)));
    piped
}
