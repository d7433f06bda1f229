//! Providers' wire texts (`shared/goldens`) as a client of Messages sees them, and bodies of such clients as the pipeline
//! sees them (`goldens/messages`).

use std::{
    fs,
    path::{Path, PathBuf},
};

use lmo_shared::{
    answer::{Choice, Completion, Done, Event},
    error::{Error, Result},
    http::{
        RequestLabel, anthropic_body,
        sse::{Encoder, Frames},
    },
    llm::{self, Chunk, Delta, Fields, FinishReason, Reported, ToolCallDelta, WireFormat, responses::reasoning},
    money::NanoUsd,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{request, response, response::Head, stream::Events};

/// The streams and whole answers that stand for all others of a format in the snapshots.
const SHOWN: [&str; 19] = [
    "openai_chat.sse",
    "openai_length.sse",
    "openai_parallel_tools.sse",
    "openai_reasoning_cached.sse",
    "openai_refusal.sse",
    "openai_refusal.json",
    "openai_tools.json",
    "deepseek_reasoning.sse",
    "mistral_thinking_parts.sse",
    "ollama_arguments_as_object.json",
    "ollama_no_usage.sse",
    "vllm_error_in_stream.sse",
    "docs_text.sse",
    "docs_thinking.sse",
    "docs_tool.sse",
    "docs_cache.sse",
    "docs_error_overloaded.sse",
    "docs_thinking.json",
    "docs_stop_sequence.json",
];

fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files: Vec<_> = paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect();
    assert!(!files.is_empty());
    files
}

fn providers(extension: &str) -> impl Iterator<Item = (WireFormat, String, String)> {
    let formats = [(WireFormat::ChatCompletions, "openai"), (WireFormat::Messages, "anthropic")];
    formats.into_iter().flat_map(move |(format, folder)| {
        let files = files(&format!("../../shared/goldens/{folder}"), extension);
        files.into_iter().map(move |(name, text)| (format, name, text))
    })
}

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../goldens/messages/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

fn done(reported: Option<Reported>) -> Done {
    let reported = reported.unwrap_or_default();
    Done { usage: reported.usage, native: reported.native, estimated: false, cost: NanoUsd(0) }
}

/// What the pipeline makes of a provider's stream.
fn answered(format: WireFormat, bytes: &[u8]) -> Vec<Result<Event>> {
    let mut decoder = format.decoder();
    decoder.push(bytes);
    let mut read = || match decoder.next_event() {
        Ok(Some(event)) => Ok(Some(event)),
        Ok(None) => decoder.finish(),
        Err(error) => Err(error),
    };
    let (mut events, mut reported) = (Vec::new(), None);
    loop {
        match read() {
            Ok(Some(llm::Event::Chunk(chunk))) => events.push(Ok(Event::Chunk(chunk))),
            Ok(Some(llm::Event::Usage(usage))) => reported = Some(usage),
            Ok(None) => break events.push(Ok(Event::Done(done(reported)))),
            Err(error) => break events.push(Err(error.into())),
        }
    }
    events
}

fn encoded(events: Vec<Result<Event>>) -> String {
    let mut encoder = Events::new(Head::example(), RequestLabel::unknown());
    let mut out = Frames::default();
    for event in events {
        encoder.encode(event, &mut out);
    }
    String::from_utf8(out.take().to_vec()).unwrap()
}

/// The message that a client puts together, as Anthropic's own do it; every rule that they rely on is checked.
fn accumulated(text: &str) -> Option<Value> {
    let mut message: Option<Value> = None;
    let (mut open, mut json, mut ended) = (None, String::new(), false);
    for frame in text.split_terminator("\n\n") {
        let (name, data) = frame.split_once('\n').unwrap();
        let event: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name, format!("event: {}", event["type"].as_str().unwrap()));
        assert!(!ended, "something behind the end: {frame}");
        let index = event.get("index").and_then(Value::as_u64).map(|index| usize::try_from(index).unwrap());
        match event["type"].as_str().unwrap() {
            "message_start" => assert!(message.replace(event["message"].clone()).is_none()),
            "content_block_start" => {
                let content = message.as_mut().unwrap()["content"].as_array_mut().unwrap();
                assert_eq!((open.replace(index), index), (None, Some(content.len())));
                content.push(event["content_block"].clone());
                json.clear();
            }
            "content_block_delta" => {
                assert_eq!(open, Some(index));
                let block = &mut message.as_mut().unwrap()["content"][index.unwrap()];
                grow(block, &event["delta"], &mut json);
            }
            "content_block_stop" => {
                assert_eq!(open.take(), Some(index));
                let block = &mut message.as_mut().unwrap()["content"][index.unwrap()];
                if !json.is_empty() {
                    block["input"] = serde_json::from_str(&json).unwrap_or_else(|_| json.as_str().into());
                }
            }
            "message_delta" => {
                assert_eq!(open, None);
                let message = message.as_mut().unwrap();
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["stop_sequence"] = event["delta"]["stop_sequence"].clone();
                for (name, count) in event["usage"].as_object().into_iter().flatten() {
                    message["usage"][name] = count.clone();
                }
            }
            "message_stop" => ended = true,
            "error" => return None,
            _ => {}
        }
    }
    assert!(ended);
    message
}

fn grow(block: &mut Value, delta: &Value, json: &mut String) {
    let mut append = |name: &str| {
        let text = format!("{}{}", block[name].as_str().unwrap(), delta[name].as_str().unwrap());
        block[name] = text.into();
    };
    match delta["type"].as_str().unwrap() {
        "text_delta" => append("text"),
        "thinking_delta" => append("thinking"),
        "signature_delta" => block["signature"] = delta["signature"].clone(),
        "input_json_delta" => json.push_str(delta["partial_json"].as_str().unwrap()),
        _ => {}
    }
}

#[test]
fn streams_are_encoded() {
    for (format, name, text) in providers("sse").filter(|(_, name, _)| SHOWN.contains(&name.as_str())) {
        let sse = encoded(answered(format, text.as_bytes()));
        settings().bind(|| insta::assert_snapshot!(name, sse));
    }
}

#[test]
fn every_stream_can_be_put_together_by_a_client() {
    for (format, name, text) in providers("sse") {
        let events = answered(format, text.as_bytes());
        let fails = events.iter().any(Result::is_err);
        let message = accumulated(&encoded(events));
        assert_eq!(message.is_none(), fails, "{name}");
        if let Some(message) = message {
            assert_eq!(message["model"], "default", "{name}");
            assert!(message["stop_reason"].is_string(), "{name}");
        }
    }
}

fn completion(events: Vec<llm::Event>) -> Completion {
    let mut completion = Completion::default();
    let mut reported = None;
    for event in events {
        match event {
            llm::Event::Chunk(chunk) => {
                completion.native = chunk.native;
                completion.choices = chunk.choices.into_iter().map(choice).collect();
            }
            llm::Event::Usage(usage) => reported = Some(usage),
        }
    }
    completion.done = Some(done(reported));
    completion
}

fn choice(delta: Delta) -> Choice {
    let call = |call: ToolCallDelta| {
        llm::ToolCall::function(call.id.unwrap_or_default(), call.name.unwrap_or_default(), call.arguments)
    };
    Choice {
        text: delta.text,
        tool_calls: delta.tool_calls.into_iter().map(call).collect(),
        finish: delta.finish,
        message_extra: delta.message_extra,
        choice_extra: delta.choice_extra,
    }
}

#[test]
fn whole_answers_are_encoded() {
    for (format, name, text) in providers("json").filter(|(_, name, _)| SHOWN.contains(&name.as_str())) {
        let events = format.whole(text.as_bytes()).unwrap();
        let message = response::whole(&Head::example(), completion(events)).unwrap();
        settings().bind(|| insta::assert_json_snapshot!(name, message));
    }
}

/// A model that doesn't stream, under a client that wants a stream.
#[test]
fn a_whole_answer_as_a_stream_is_the_same_message() {
    for (format, name, text) in providers("json") {
        let Ok(events) = format.whole(text.as_bytes()) else { continue };
        let mut translated = completion(events.clone());
        translated.native = None;
        let whole = response::whole(&Head::example(), translated).unwrap();
        let mut reported = None;
        let mut stream = Vec::new();
        for event in events {
            match event {
                llm::Event::Chunk(chunk) => stream.push(Ok(Event::Chunk(chunk))),
                llm::Event::Usage(usage) => reported = Some(usage),
            }
        }
        stream.push(Ok(Event::Done(done(reported))));
        assert_eq!(accumulated(&encoded(stream)).unwrap(), whole, "{name}");
    }
}

fn call(index: u32, name: Option<&str>, arguments: &str) -> Event {
    let id = name.map(|name| format!("call_{name}"));
    let call = ToolCallDelta {
        index,
        id,
        name: name.map(str::to_owned),
        arguments: arguments.to_owned(),
        extra: Fields::new(),
    };
    piece(Delta { tool_calls: vec![call], ..Delta::default() })
}

fn piece(delta: Delta) -> Event {
    Event::Chunk(Chunk { choices: vec![delta], ..Chunk::default() })
}

fn end() -> Event {
    Event::Done(done(None))
}

fn said(events: impl IntoIterator<Item = Event>) -> String {
    encoded(events.into_iter().map(Ok).collect())
}

#[test]
fn interleaved_calls_come_one_after_the_other_and_whole() {
    let sse = said([
        call(0, Some("a"), "{\"x\""),
        call(1, Some("b"), "{\"y\""),
        call(2, Some("c"), ""),
        call(0, None, ":1}"),
        call(2, None, "{\"z\":3}"),
        call(1, None, ":2}"),
        piece(Delta { finish: Some(FinishReason::ToolCalls), ..Delta::default() }),
        end(),
    ]);
    let message = accumulated(&sse).unwrap();
    let inputs: Vec<_> = message["content"].as_array().unwrap().iter().map(|block| &block["input"]).collect();
    assert_eq!(inputs, [&json!({"x": 1}), &json!({"y": 2}), &json!({"z": 3})]);
}

#[test]
fn calls_in_a_row_do_not_wait_for_the_end() {
    let mut encoder = Events::new(Head::example(), RequestLabel::unknown());
    let mut out = Frames::default();
    for event in [call(0, Some("a"), "{}"), call(1, Some("b"), "{\"y\"")] {
        encoder.encode(Ok(event), &mut out);
    }
    assert!(str::from_utf8(&out.take()).unwrap().contains(r#""partial_json":"{\"y\"""#));
}

#[test]
fn a_call_that_a_server_ends_with_stop_is_tool_use() {
    let stop = Delta { finish: Some(FinishReason::Stop), ..Delta::default() };
    let message = accumulated(&said([call(0, Some("a"), "{}"), piece(stop), end()])).unwrap();
    assert_eq!(message["stop_reason"], "tool_use");
}

#[test]
fn a_call_without_an_id_gets_one() {
    let sse = said([call(0, None, "{}"), end()]);
    assert_eq!(accumulated(&sse).unwrap()["content"][0]["id"], "toolu_01ARZ3NDEKTSV4RRFFQ69G5FAV_0");
}

#[test]
fn the_end_of_a_providers_own_stream_waits_for_the_ledger() {
    let native = |kind: &str| {
        let fields = json!({"type": kind}).as_object().unwrap().clone();
        let native = Some(llm::Native { format: WireFormat::Messages, fields });
        Event::Chunk(Chunk { native, ..Chunk::default() })
    };
    let before = said([native("message_start"), native("message_delta"), native("message_stop")]);
    assert!(!before.contains("message_stop"));
    let after = said([native("message_start"), native("message_delta"), end()]);
    assert!(after.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
}

/// A body as the pipeline sees it. `native` is shown where it isn't the body itself.
#[derive(Serialize)]
struct Seen {
    model: Option<String>,
    stream: bool,
    prompt: llm::Prompt,
}

#[test]
fn requests_are_read() {
    for (name, text) in files("goldens/messages/requests", "json") {
        let body: Fields = serde_json::from_str(&text).unwrap();
        let seen = request::ask(body.clone()).map(|mut ask| {
            ask.prompt.native = ask.prompt.native.filter(|native| native.fields != body);
            Seen { model: ask.model, stream: ask.stream, prompt: ask.prompt }
        });
        let name = format!("request_{name}");
        settings().bind(|| match &seen {
            Ok(seen) => insta::assert_json_snapshot!(name, seen),
            Err(error) => insta::assert_json_snapshot!(name, anthropic_body(error, &RequestLabel::unknown())),
        });
    }
}

#[test]
fn the_native_body_is_the_clients_own() {
    let body = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}], "top_k": 3});
    let fields = body.as_object().unwrap().clone();
    assert_eq!(request::ask(fields.clone()).unwrap().prompt.native_of(WireFormat::Messages), Some(&fields));
}

#[test]
fn a_provider_of_this_format_is_given_only_thoughts_that_it_can_read() {
    let own = json!([{"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
        {"type": "redacted_thinking", "data": "EmwK"}, {"type": "text", "text": "So."}]);
    let mut thoughts = own.as_array().unwrap().clone();
    thoughts.insert(0, json!({"type": "thinking", "thinking": "Hm.", "signature": ""}));
    thoughts.insert(1, reasoning::block("rs_1", "gAAAA").unwrap());
    let turns = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": thoughts}]);
    let body = json!({"model": "m", "max_tokens": 1, "messages": turns});
    let prompt = request::ask(body.as_object().unwrap().clone()).unwrap().prompt;
    assert_eq!(prompt.native_of(WireFormat::Messages).unwrap()["messages"][1]["content"], own);
    let item = reasoning::block("rs_1", "gAAAA").unwrap();
    assert_eq!(json!(prompt.messages[1])["content"][0], item, "a provider of Responses is given what it sealed");
}

#[test]
fn tokens_are_counted_without_an_output_limit() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    let fields = body.as_object().unwrap().clone();
    assert!(request::read(fields.clone()).is_ok());
    assert!(matches!(request::ask(fields), Err(Error::Invalid { param, .. }) if param == "max_tokens"));
}
