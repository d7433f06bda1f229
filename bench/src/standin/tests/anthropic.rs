//! Messages, byte for byte, and what Anthropic refuses.

use serde_json::{Value, json};

use super::speaking::{ask, path, post, request};
use super::{client, standin};
use crate::standin::format::Format;
use crate::standin::text;

const FORMAT: Format = Format::Messages;

async fn refused(body: &Value) -> String {
    let came = post(&standin(), "/v1/messages", body).await;
    let error = came.json();
    assert_eq!(
        (came.status, &error["type"], &error["error"]["type"]),
        (400, &json!("error"), &json!("invalid_request_error"))
    );
    assert_eq!(error["request_id"], came.headers["request-id"].to_str().unwrap());
    error["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_stream_is_written_as_anthropic_writes_it() {
    let (came, _) = ask(FORMAT, "hi [[tokens=2]] [[cached=1]]", true).await;
    let start = r#"{"type":"message_start","message":{"model":"small","id":"msg_000000000000000000000001","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}"#;
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null,"stop_details":null},"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":1,"output_tokens":2,"output_tokens_details":{"thinking_tokens":0}}          }"#;
    let expected = format!(
        r#"event: message_start
data: {start}

event: content_block_start
data: {{"type":"content_block_start","index":0,"content_block":{{"type":"text","text":""}}       }}

event: ping
data: {{"type": "ping"}}

event: content_block_delta
data: {{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"river0"}}     }}

event: content_block_delta
data: {{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":" stone1"}}            }}

event: content_block_stop
data: {{"type":"content_block_stop","index":0   }}

event: message_delta
data: {delta}

event: message_stop
data: {{"type":"message_stop" }}

"#
    );
    assert_eq!(came.text(), expected);
}

#[tokio::test]
async fn a_whole_answer_is_a_message() {
    let (came, _) = ask(
        FORMAT,
        "hi [[tokens=2]] [[reason=1]] [[tool=f args={\"a\":1}]] [[cache_write=3]] [[cache_write_1h=1]]",
        false,
    )
    .await;
    let expected = json!({
        "model": "small", "id": "msg_000000000000000000000001", "type": "message", "role": "assistant",
        "content": [
            { "type": "thinking", "thinking": "perhaps0", "signature": "EqQBCgIYAhIM00000000000000000001==" },
            { "type": "text", "text": text(2) },
            { "type": "tool_use", "id": "toolu_000000000000000000010000", "name": "f", "input": { "a": 1 } }
        ],
        "stop_reason": "tool_use", "stop_sequence": null, "stop_details": null,
        "usage": {
            "input_tokens": 7, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 0,
            "cache_creation": { "ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 1 },
            "output_tokens": 6, "output_tokens_details": { "thinking_tokens": 1 }, "service_tier": "standard"
        }
    });
    assert_eq!(came.json(), expected);
}

#[tokio::test]
async fn a_thinking_block_is_signed_before_it_stops() {
    let (came, _) = ask(FORMAT, "[[reason=2]] [[tokens=1]]", true).await;
    let events: Vec<_> = came.events(FORMAT).into_iter().map(|(_, event)| event).collect();
    let deltas: Vec<_> = events.iter().filter_map(|event| event["delta"]["type"].as_str()).collect();
    assert_eq!(deltas, ["thinking_delta", "thinking_delta", "signature_delta", "text_delta"]);
    assert_eq!(events[1]["content_block"], json!({ "type": "thinking", "thinking": "", "signature": "" }));
    assert_eq!((&events[6]["type"], &events[7]["index"]), (&json!("content_block_stop"), &json!(1)));
}

#[tokio::test]
async fn a_stop_sequence_that_matched_is_named() {
    let mut body = request(FORMAT, "[[finish=stop_sequence]]", false);
    body["stop_sequences"] = json!(["END", "x"]);
    let answer = post(&standin(), "/v1/messages", &body).await.json();
    assert_eq!((&answer["stop_reason"], &answer["stop_sequence"]), (&json!("stop_sequence"), &json!("END")));
}

#[tokio::test]
async fn errors_have_anthropics_types() {
    for (status, kind) in
        [(401, "authentication_error"), (413, "request_too_large"), (500, "api_error"), (529, "overloaded_error")]
    {
        let came = post(&standin(), path(FORMAT, true), &request(FORMAT, &format!("[[fail={status}]]"), true)).await;
        assert_eq!((came.status, came.json()["error"]["type"].as_str()), (status, Some(kind)));
    }
}

#[tokio::test]
async fn a_failures_code_is_its_type() {
    let body = request(FORMAT, "[[fail=400 code=billing_error]]", true);
    assert_eq!(post(&standin(), "/v1/messages", &body).await.json()["error"]["type"], "billing_error");
}

#[tokio::test]
async fn an_error_event_is_named() {
    let (came, _) = ask(FORMAT, "[[error_in_stream=0 code=overloaded_error]]", true).await;
    let last = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    assert!(came.text().ends_with(last), "{}", came.text());
}

#[tokio::test]
async fn the_version_is_required() {
    let standin = standin();
    let url = format!("{}/v1/messages", standin.origin());
    let response = client().post(url).body(request(FORMAT, "hi", false).to_string()).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("anthropic-version: header is required"));
}

#[tokio::test]
async fn a_request_that_anthropic_refuses_is_refused() {
    let valid = request(FORMAT, "hi", false);
    let with = |key: &str, value: Value| {
        let mut body = valid.clone();
        body[key] = value;
        body
    };
    let message = |content: Value| json!([{ "role": "user", "content": content }]);
    let cases = [
        (with("max_tokens", Value::Null), "max_tokens: Field required"),
        (with("max_tokens", json!("many")), "max_tokens: Input should be a valid integer"),
        (with("max_tokens", json!(0)), "max_tokens: Input should be greater than or equal to 1"),
        (with("model", Value::Null), "model: Field required"),
        (with("messages", json!([])), "messages: at least one message is required"),
        (with("messages", json!([{ "content": "hi" }])), "messages.0.role: Field required"),
        (with("n", json!(2)), "n: Extra inputs are not permitted"),
        (with("system", json!([{ "type": "text" }])), "system.0.text: Field required"),
        (with("messages", message(json!([{ "type": "text", "text": "" }]))), "text content blocks must be non-empty"),
        (with("messages", message(json!(""))), "messages.0: all messages must have non-empty content"),
        (with("messages", message(json!([{ "type": "image_url", "image_url": "x" }]))), "Input tag 'image_url' found"),
        (
            with("thinking", json!({ "type": "enabled", "budget_tokens": 1000 })),
            "greater than `thinking.budget_tokens`",
        ),
    ];
    for (body, expected) in cases {
        let message = refused(&body).await;
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn a_call_without_its_result_is_refused() {
    let call =
        json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": "t1", "name": "f", "input": {} }] });
    let mut body = request(FORMAT, "hi", false);
    body["messages"] = json!([{ "role": "user", "content": "hi" }, call, { "role": "user", "content": "well?" }]);
    assert!(refused(&body).await.contains("`tool_use` ids were found without `tool_result` blocks"));
}

#[tokio::test]
async fn a_result_without_its_call_is_refused() {
    let mut body = request(FORMAT, "hi", false);
    let result = json!({ "type": "tool_result", "tool_use_id": "t1", "content": "1" });
    body["messages"] = json!([{ "role": "user", "content": [result] }]);
    assert!(refused(&body).await.contains("unexpected `tool_use_id`"));
}

#[tokio::test]
async fn a_header_names_the_request() {
    let came = post(&standin(), "/v1/messages", &request(FORMAT, "hi", false)).await;
    assert_eq!(came.headers["request-id"], "req_000000000000000000000001");
}
