//! Answers that call tools.

use serde_json::{Value, json};

use super::{answer, asking, events, parsed, standin, streaming};

#[tokio::test]
async fn a_tool_call_is_streamed_in_fragments() {
    let (events, _) = events(&standin(), &streaming("[[tool=get_weather args={\"city\":[[\"Paris\"]]}]]")).await;
    let chunks = parsed(&events);
    let calls = |chunk: &Value| chunk["choices"][0]["delta"]["tool_calls"][0].clone();
    let first = calls(&chunks[0]);
    assert_eq!((&first["function"]["name"], &first["type"]), (&json!("get_weather"), &json!("function")));
    let arguments: Vec<_> =
        chunks.iter().filter_map(|chunk| calls(chunk)["function"]["arguments"].as_str().map(str::to_owned)).collect();
    assert_eq!(arguments.concat(), "{\"city\":[[\"Paris\"]]}");
    assert!(arguments.len() > 3);
    assert!(events.iter().any(|event| event.contains("\"finish_reason\":\"tool_calls\"")));
}

#[tokio::test]
async fn two_tools_are_called_in_parallel() {
    let answer = answer(&asking("[[tool=a args={\"x\":1}]] [[tool=b]]")).await;
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["content"], Value::Null);
    assert_eq!(message["tool_calls"][0]["function"], json!({ "name": "a", "arguments": "{\"x\":1}" }));
    assert_eq!(message["tool_calls"][1]["function"], json!({ "name": "b", "arguments": "{}" }));
}

#[tokio::test]
async fn a_tools_result_is_answered_in_words() {
    let mut body = asking("[[tool=a]]");
    body["messages"].as_array_mut().unwrap().push(json!({ "role": "tool", "tool_call_id": "x", "content": "1" }));
    assert_eq!(answer(&body).await["choices"][0]["finish_reason"], "stop");
}
