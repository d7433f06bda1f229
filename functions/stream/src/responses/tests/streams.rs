//! Streams: a provider's own events as they are, and those that LMO writes.

use lmo_shared::{
    answer::Event,
    error::Error,
    llm::{Chunk, Delta, Event as ProviderEvent, FinishReason, ProviderError, ToolCallDelta},
};
use serde_json::{Value, json};

use super::{accumulator::accumulate, decode, done, golden, piped, read, streams, text_of, types, usage};

fn chunk(delta: Delta) -> Event {
    Event::Chunk(Chunk { choices: vec![delta], ..Chunk::default() })
}

fn text(text: &str) -> Delta {
    Delta { text: Some(text.to_owned()), ..Delta::default() }
}

fn extra(name: &str, value: Value) -> Delta {
    Delta { message_extra: [(name.to_owned(), value)].into_iter().collect(), ..Delta::default() }
}

fn end(finish: FinishReason) -> Delta {
    Delta { finish: Some(finish), ..Delta::default() }
}

fn call(index: u32, id: &str, name: &str, arguments: &str) -> Delta {
    let word = |word: &str| (!word.is_empty()).then(|| word.to_owned());
    let arguments = arguments.to_owned();
    let call = ToolCallDelta { index, id: word(id), name: word(name), arguments, ..ToolCallDelta::default() };
    Delta { tool_calls: vec![call], ..Delta::default() }
}

/// The events of an answer of these pieces.
fn written(pieces: Vec<Delta>) -> Vec<Value> {
    let events = pieces.into_iter().map(chunk).chain([Event::Done(done(usage()))]);
    read(&text_of(events.map(Ok)))
}

/// What an answer says, however it is cut into pieces.
fn content(events: &[ProviderEvent]) -> Value {
    let mut told = json!({"text": "", "reasoning_content": "", "refusal": "", "sealed": [], "logprobs": []});
    let mut calls: Vec<[String; 3]> = Vec::new();
    let append = |told: &mut Value, more: &str| *told = format!("{}{more}", told.as_str().unwrap()).into();
    for event in events {
        let ProviderEvent::Chunk(chunk) = event else { continue };
        for delta in &chunk.choices {
            append(&mut told["text"], delta.text.as_deref().unwrap_or_default());
            for name in ["reasoning_content", "refusal"] {
                append(&mut told[name], delta.message_extra.get(name).and_then(Value::as_str).unwrap_or_default());
            }
            for block in delta.message_extra.get("thinking_blocks").and_then(Value::as_array).into_iter().flatten() {
                // The item's id is another one.
                let sealed = block["data"].as_str().unwrap().rsplit('.').next().unwrap();
                told["sealed"].as_array_mut().unwrap().push(sealed.into());
            }
            let logprobs = delta.choice_extra.get("logprobs").and_then(|logprobs| logprobs["content"].as_array());
            told["logprobs"].as_array_mut().unwrap().extend(logprobs.into_iter().flatten().cloned());
            for call in &delta.tool_calls {
                calls.resize_with(calls.len().max(call.index as usize + 1), Default::default);
                let [id, name, arguments] = &mut calls[call.index as usize];
                id.push_str(call.id.as_deref().unwrap_or_default());
                name.push_str(call.name.as_deref().unwrap_or_default());
                arguments.push_str(&call.arguments);
            }
            if let Some(finish) = &delta.finish {
                told["finish"] = json!(finish);
            }
        }
    }
    told["calls"] = json!(calls);
    told
}

#[test]
fn a_stream_that_is_written_again_tells_the_same() {
    for (name, events) in streams() {
        let before = content(&events);
        let again = text_of(piped(events, false));
        accumulate(&read(&again));
        assert_eq!(content(&decode(&again).unwrap()), before, "{name}");
    }
}

#[test]
fn a_providers_own_events_are_passed_on_but_for_id_and_model() {
    for (name, events) in streams().into_iter().filter(|(name, _)| name != "no_usage.sse") {
        let mut own = read_data(&golden(&name));
        for event in own.iter_mut().filter(|event| event.get("response").is_some()) {
            event["response"]["id"] = "resp_01J".into();
            event["response"]["model"] = "standin/small".into();
        }
        assert_eq!(read(&text_of(piped(events, true))), own, "{name}");
    }
}

/// The JSON of a golden's events.
fn read_data(text: &[u8]) -> Vec<Value> {
    let lines = str::from_utf8(text).unwrap().lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[test]
fn a_stream_without_counts_ends_with_what_lmo_counted() {
    let events = decode(&golden("no_usage.sse")).unwrap();
    let passed = read(&text_of(piped(events, true)));
    let last = passed.last().unwrap();
    assert_eq!((&last["type"], &last["response"]["usage"]["output_tokens"]), (&json!("response.completed"), &json!(5)));
}

#[test]
fn the_closing_event_waits_for_the_end_of_the_books() {
    for name in ["openai_text.sse", "no_usage.sse"] {
        let mut events = piped(decode(&golden(name)).unwrap(), true);
        events.pop();
        let passed = read(&text_of(events));
        assert_eq!(types(&passed).last(), Some(&"response.output_item.done"), "{name}");
    }
}

#[test]
fn a_lost_end_is_made_of_the_items_that_ended() {
    let mut events = piped(decode(&golden("openai_incomplete.sse")).unwrap(), true);
    events.pop();
    events.push(Ok(Event::Done(done(usage()))));
    let response = accumulate(&read(&text_of(events)));
    assert_eq!(response["output"][0]["content"][0]["text"], "Once upon a time");
    assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
}

#[test]
fn a_whole_answer_is_streamed_where_a_stream_was_wanted() {
    let whole = lmo_shared::llm::WireFormat::Responses.whole(&golden("openai_tools.json")).unwrap();
    let response = accumulate(&read(&text_of(piped(whole, true))));
    let names: Vec<_> = response["output"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["get_weather", "get_time"]);
}

#[test]
fn text_is_told_in_the_order_that_clients_wait_for() {
    let events = written(vec![text(""), text("Hel"), text("lo"), end(FinishReason::Stop)]);
    assert_eq!(
        types(&events),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let response = accumulate(&events);
    assert_eq!(response["usage"]["input_tokens_details"], json!({"cached_tokens": 4, "cache_write_tokens": 0}));
    assert_eq!((&response["usage"]["total_tokens"], &response["store"]), (&json!(14), &json!(false)));
}

#[test]
fn calls_whose_pieces_come_by_turns_stay_apart() {
    let pieces = vec![
        text("Let me look."),
        call(0, "call_a", "weather", "{\"city\""),
        call(1, "call_b", "clock", "{"),
        call(0, "", "", ":\"Oslo\"}"),
        call(1, "", "", "}"),
        end(FinishReason::ToolCalls),
    ];
    let response = accumulate(&written(pieces));
    let calls: Vec<_> = response["output"].as_array().unwrap().iter().skip(1).collect();
    assert_eq!(calls.iter().map(|call| &call["arguments"]).collect::<Vec<_>>(), ["{\"city\":\"Oslo\"}", "{}"]);
    assert!(calls.iter().all(|call| call["status"] == "completed"));
}

#[test]
fn a_call_begins_when_its_name_is_known_and_has_an_id_of_its_own() {
    let pieces = vec![call(0, "", "", "{\"a\""), call(0, "", "sum", ":1}"), call(1, "", "sum", "")];
    let response = accumulate(&written(pieces));
    assert_eq!(response["output"][0]["arguments"], "{\"a\":1}");
    assert_ne!(response["output"][0]["call_id"], response["output"][1]["call_id"]);
}

#[test]
fn signed_thinking_becomes_a_reasoning_item_that_can_be_brought_back() {
    let blocks = |block: Value| extra("thinking_blocks", json!([block]));
    let pieces = vec![
        extra("reasoning_content", "Hm".into()),
        extra("reasoning_content", ".".into()),
        blocks(json!({"type": "thinking", "index": 0, "signature": "EqQB"})),
        blocks(json!({"type": "redacted_thinking", "index": 1, "data": "xyz"})),
        text("Three."),
        end(FinishReason::Stop),
    ];
    let response = accumulate(&written(pieces));
    assert_eq!(response["output"][0]["summary"], json!([{"type": "summary_text", "text": "Hm."}]));
    let back = super::requests::messages(&json!([
        {"role": "user", "content": "How many?"}, response["output"][0], response["output"][1], response["output"][2],
    ]));
    let content = json!([
        {"type": "thinking", "signature": "EqQB", "thinking": "Hm."},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "text", "text": "Three."},
    ]);
    assert_eq!(back[1]["content"], content);
}

#[test]
fn a_text_and_a_refusal_are_parts_of_one_message() {
    let response = accumulate(&written(vec![text("Well."), extra("refusal", "No.".into())]));
    let parts = response["output"][0]["content"].as_array().unwrap();
    assert_eq!(parts.iter().map(|part| &part["type"]).collect::<Vec<_>>(), ["output_text", "refusal"]);
}

#[test]
fn parts_of_mistrals_reasoning_models_are_text_and_reasoning() {
    let parts =
        json!([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "4"}]);
    let response = accumulate(&written(vec![extra("content", parts)]));
    assert_eq!(response["output"][0]["summary"][0]["text"], "Hm.");
    assert_eq!(response["output"][1]["content"][0]["text"], "4");
}

#[test]
fn an_answer_that_is_cut_by_its_limit_is_incomplete_with_its_item() {
    let events = written(vec![text("Once"), end(FinishReason::Length)]);
    assert_eq!(types(&events).last(), Some(&"response.incomplete"));
    let response = accumulate(&events);
    assert_eq!((&response["status"], &response["output"][0]["status"]), (&json!("incomplete"), &json!("incomplete")));
    assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
}

#[test]
fn an_answer_that_says_nothing_is_a_response_without_output() {
    let response = accumulate(&written(vec![end(FinishReason::Stop)]));
    assert_eq!((&response["status"], &response["output"]), (&json!("completed"), &json!([])));
}

#[test]
fn an_error_is_an_event_of_its_own_at_any_time() {
    let failed = || Err(Error::Provider(ProviderError::Cut));
    let first = read(&text_of([failed()]));
    assert_eq!(types(&first), ["response.created", "response.in_progress", "error"]);
    let later = read(&text_of([Ok(chunk(text("Hi"))), failed()]));
    let error = later.last().unwrap();
    let expected = json!({"type": "error", "sequence_number": later.len() - 1, "code": "provider_cut",
        "message": "the model's provider broke off its answer", "param": null});
    assert_eq!(error, &expected);
    let mut passed = piped(decode(&golden("openai_text.sse")).unwrap(), true);
    passed.truncate(3);
    passed.push(failed());
    assert_eq!(read(&text_of(passed))[3]["sequence_number"], 3);
}
