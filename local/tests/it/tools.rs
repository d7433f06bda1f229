//! Tool calls, streamed and not.

use crate::support::{Running, Value, chat, json};

const CHAT: &str = "/v1/chat/completions";
const TWO: &str = "[[tool=weather args={\"city\":\"Paris\"}]] [[tool=clock args={\"zone\":\"CET\"}]]";

fn ask(text: &str) -> Value {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    let mut body = chat(text, 100);
    body["tools"] = json!([tool("weather"), tool("clock")]);
    body
}

/// Name and arguments of each call that a stream's pieces make.
fn streamed_calls(events: &[Value]) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    let pieces = events.iter().filter_map(|event| event["data"]["choices"][0]["delta"]["tool_calls"].as_array());
    for piece in pieces.flatten() {
        let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
        calls.resize_with(calls.len().max(index + 1), Default::default);
        calls[index].0.push_str(piece["function"]["name"].as_str().unwrap_or_default());
        calls[index].1.push_str(piece["function"]["arguments"].as_str().unwrap_or_default());
    }
    calls
}

fn expected() -> Vec<(String, String)> {
    let call = |name: &str, arguments: &str| (name.to_owned(), arguments.to_owned());
    vec![call("weather", "{\"city\":\"Paris\"}"), call("clock", "{\"zone\":\"CET\"}")]
}

#[tokio::test]
async fn parallel_tool_calls_are_streamed_piece_by_piece() {
    let run = Running::start();
    let mut body = ask(TWO);
    body["stream"] = true.into();
    let events = run.lmo.post(CHAT, &body).await.events();
    assert_eq!(streamed_calls(&events), expected());
    let finish = events.iter().filter_map(|event| event["data"]["choices"][0]["finish_reason"].as_str()).next_back();
    assert_eq!(finish, Some("tool_calls"));
}

#[tokio::test]
async fn the_first_piece_of_a_call_alone_has_its_id_and_type() {
    let run = Running::start();
    let mut body = ask("[[tool=weather args={\"city\":\"Paris\"}]]");
    body["stream"] = true.into();
    let events = run.lmo.post(CHAT, &body).await.events();
    let pieces = events.iter().filter_map(|event| event["data"]["choices"][0]["delta"]["tool_calls"][0].as_object());
    let with_id: Vec<_> = pieces.map(|piece| (piece.contains_key("id"), piece.contains_key("type"))).collect();
    assert_eq!(with_id[0], (true, true));
    assert!(with_id[1..].iter().all(|marks| *marks == (false, false)));
}

#[tokio::test]
async fn parallel_tool_calls_come_whole() {
    let run = Running::start();
    let choice = run.lmo.post(CHAT, &ask(TWO)).await.json()["choices"][0].clone();
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let calls: Vec<_> =
        calls.iter().map(|call| (text(&call["function"]["name"]), text(&call["function"]["arguments"]))).collect();
    assert_eq!(calls, expected());
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
}

#[tokio::test]
async fn a_tools_result_goes_back_to_the_model() {
    let run = Running::start();
    let mut body = ask("[[tool=weather]] [[tokens=3]]");
    let first = run.lmo.post(CHAT, &body).await.json();
    let message = first["choices"][0]["message"].clone();
    let id = message["tool_calls"][0]["id"].clone();
    let messages = body["messages"].as_array_mut().unwrap();
    messages.extend([message, json!({"role": "tool", "tool_call_id": id, "content": "sunny"})]);
    let second = run.lmo.post(CHAT, &body).await.json();
    assert_eq!(second["choices"][0]["message"]["content"], lmo_bench::standin::text(3));
    assert_eq!(run.upstream_body()["messages"][2]["tool_call_id"], id);
}

#[tokio::test]
async fn the_query_endpoint_returns_tool_calls_with_empty_content() {
    let run = Running::start();
    let body = json!({"query": TWO, "tools": ask("")["tools"], "max_tokens": 100});
    let answer = run.lmo.post("/api/mcp/query", &body).await.json();
    assert_eq!((&answer["content"], &answer["finish_reason"]), (&Value::Null, &json!("tool_calls")));
    assert_eq!(answer["tool_calls"][1]["function"]["name"], "clock");
}
