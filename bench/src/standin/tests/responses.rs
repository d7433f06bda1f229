//! Responses, event by event, and what `OpenAI` refuses.

use serde_json::{Value, json};

use super::speaking::{ask, limited, path, post, request};
use super::standin;
use crate::standin::format::Format;
use crate::standin::{text, thoughts};

const FORMAT: Format = Format::Responses;

async fn refused(body: &Value) -> Value {
    let came = post(&standin(), "/v1/responses", body).await;
    assert_eq!(came.status, 400);
    came.json()["error"].clone()
}

#[tokio::test]
async fn a_stream_begins_and_ends_everything() {
    let (came, _) = ask(FORMAT, "[[tokens=1]] [[reason=1]] [[tool=f args={}]]", true).await;
    let events = came.events(FORMAT);
    let names: Vec<_> = events.iter().map(|(name, _)| name.trim_start_matches("response.")).collect();
    assert_eq!(
        names,
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed"
        ]
    );
    for (number, (_, event)) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
}

#[tokio::test]
async fn an_event_is_written_as_openai_writes_it() {
    let (came, _) = ask(FORMAT, "[[tokens=1]]", true).await;
    let id = "msg_000000000000000000000000000000000000000000010000";
    let expected = format!(
        "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":4,\
         \"item_id\":\"{id}\",\"output_index\":0,\"content_index\":0,\"delta\":\"river0\",\"logprobs\":[],\
         \"obfuscation\":\"aB3dE5gH7j\"}}\n\n"
    );
    assert!(came.text().contains(&expected), "{}", came.text());
}

#[tokio::test]
async fn the_last_event_has_the_whole_response() {
    let prompt = "[[tokens=2]] [[tool=f args={\"a\":1}]]";
    let (stream, _) = ask(FORMAT, prompt, true).await;
    let (whole, _) = ask(FORMAT, prompt, false).await;
    let last = stream.events(FORMAT).pop().unwrap().1["response"].clone();
    let done: Vec<_> =
        stream.events(FORMAT).into_iter().filter(|(name, _)| name == "response.output_item.done").collect();
    assert_eq!((&last["output"][0], &last["output"][1]), (&done[0].1["item"], &done[1].1["item"]));
    assert_eq!((&last["output"], &last["usage"]), (&whole.json()["output"], &whole.json()["usage"]));
    assert_eq!(last["output"][0]["content"][0]["text"], text(2));
    assert_eq!(last["output"][1]["arguments"], "{\"a\":1}");
}

#[tokio::test]
async fn a_response_repeats_what_the_request_set() {
    let mut body = request(FORMAT, "hi", false);
    let tools = json!([{ "type": "function", "name": "f", "parameters": {}, "strict": true }]);
    (body["tools"], body["metadata"], body["instructions"]) = (tools.clone(), json!({ "a": "b" }), json!("be brief"));
    let response = post(&standin(), "/v1/responses", &body).await.json();
    assert_eq!((&response["tools"], &response["metadata"]["a"]), (&tools, &json!("b")));
    assert_eq!((&response["instructions"], &response["tool_choice"]), (&json!("be brief"), &json!("auto")));
    assert_eq!(response["usage"]["input_tokens"], 4 + 5);
}

#[tokio::test]
async fn reasoning_is_encrypted_if_asked() {
    let mut body = request(FORMAT, "[[reason=2]]", false);
    let item = |response: Value| response["output"][0].clone();
    let plain = item(post(&standin(), "/v1/responses", &body).await.json());
    body["include"] = json!(["reasoning.encrypted_content"]);
    let encrypted = item(post(&standin(), "/v1/responses", &body).await.json());
    assert_eq!((&plain["summary"][0]["text"], plain.get("encrypted_content")), (&json!(thoughts(2)), None));
    assert!(encrypted["encrypted_content"].is_string());
}

#[tokio::test]
async fn reasoning_that_another_sealed_is_refused() {
    let with = |item: Value| json!({ "model": "small", "input": [{ "role": "user", "content": "hi" }, item] });
    let sealed = refused(&with(json!({ "type": "reasoning", "id": "r", "encrypted_content": "other.x" }))).await;
    assert_eq!(sealed["code"], "invalid_encrypted_content");
    let by_id = refused(&with(json!({ "type": "reasoning", "id": "r", "summary": [] }))).await;
    assert_eq!(by_id["message"], "Item with id 'r' not found.");
}

#[tokio::test]
async fn an_incomplete_response_says_why() {
    let body = limited(FORMAT, request(FORMAT, "[[tokens=50]]", false), 16);
    let response = post(&standin(), "/v1/responses", &body).await.json();
    assert_eq!((&response["status"], &response["completed_at"]), (&json!("incomplete"), &Value::Null));
    assert_eq!(response["incomplete_details"], json!({ "reason": "max_output_tokens" }));
    assert_eq!(response["output"][0]["status"], "incomplete");
}

#[tokio::test]
async fn a_failed_response_has_an_error() {
    let (came, _) = ask(FORMAT, "[[finish=failed]]", true).await;
    let (name, last) = came.events(FORMAT).pop().unwrap();
    assert_eq!((name.as_str(), &last["response"]["error"]["code"]), ("response.failed", &json!("server_error")));
}

#[tokio::test]
async fn an_error_event_is_numbered() {
    let (came, _) = ask(FORMAT, "[[error_in_stream=0 code=rate_limit_exceeded]]", true).await;
    let (name, error) = came.events(FORMAT).pop().unwrap();
    let message = "The server had an error while processing your request. Sorry about that!";
    let expected = json!({
        "type": "error", "sequence_number": 4, "code": "rate_limit_exceeded", "message": message, "param": null
    });
    assert_eq!((name.as_str(), error), ("error", expected));
}

#[tokio::test]
async fn errors_are_openais() {
    let came = post(&standin(), path(FORMAT, true), &request(FORMAT, "[[fail=429]]", true)).await;
    assert_eq!((came.status, &came.json()["error"]["code"]), (429, &json!("rate_limit_exceeded")));
}

#[tokio::test]
async fn a_request_that_openai_refuses_is_refused() {
    let with = |key: &str, value: Value| {
        let mut body = request(FORMAT, "hi", false);
        body[key] = value;
        body
    };
    let cases = [
        (with("model", Value::Null), "missing_required_parameter", "model"),
        (with("input", Value::Null), "missing_required_parameter", "input"),
        (with("input", json!([])), "empty_array", "input"),
        (with("max_output_tokens", json!(15)), "integer_below_min_value", "max_output_tokens"),
        (with("max_output_tokens", json!("1")), "invalid_type", "max_output_tokens"),
        (with("max_tokens", json!(50)), "unknown_parameter", "max_tokens"),
        (with("input", json!([{ "role": "tool", "content": "1" }])), "invalid_value", "input[0].role"),
        (with("input", json!([{ "type": "tool_use" }])), "invalid_value", "input[0].type"),
        (
            with("input", json!([{ "role": "user", "content": [{ "type": "text", "text": "hi" }] }])),
            "invalid_value",
            "input[0].content[0].type",
        ),
    ];
    for (body, code, param) in cases {
        let error = refused(&body).await;
        assert_eq!((&error["code"], &error["param"]), (&json!(code), &json!(param)), "{error}");
    }
}

#[tokio::test]
async fn a_result_without_its_call_is_refused() {
    let mut body = request(FORMAT, "hi", false);
    body["input"] = json!([{ "type": "function_call_output", "call_id": "c", "output": "1" }]);
    assert_eq!(refused(&body).await["message"], "No tool call found for function call output with call_id c.");
    body["input"] = json!([{ "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" }]);
    assert_eq!(refused(&body).await["message"], "No tool output found for function call c.");
}
