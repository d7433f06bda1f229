//! Converse, frame by frame, and what Bedrock refuses.

use aws_smithy_eventstream::frame::read_message_from;
use serde_json::{Value, json};

use super::speaking::{ask, path, post, request};
use super::standin;
use crate::standin::format::Format;
use crate::standin::{text, words};

const FORMAT: Format = Format::Converse;

async fn refused(body: &Value) -> (String, String) {
    let came = post(&standin(), path(FORMAT, false), body).await;
    assert_eq!(came.status, 400);
    let name = came.headers["x-amzn-errortype"].to_str().unwrap().split(':').next().unwrap().to_owned();
    (name, came.json()["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_frame_is_written_as_bedrock_writes_it() {
    let (came, _) = ask(FORMAT, "[[tokens=1]]", true).await;
    let first = read_message_from(came.body.as_slice()).unwrap();
    let headers: Vec<_> = first
        .headers()
        .iter()
        .map(|header| (header.name().as_str(), header.value().as_string().unwrap().as_str()))
        .collect();
    let expected = [(":event-type", "messageStart"), (":content-type", "application/json"), (":message-type", "event")];
    assert_eq!(headers, expected);
    assert_eq!(first.payload().as_ref(), br#"{"role":"assistant","p":"a"}"#);
    assert_eq!(usize::try_from(u32::from_be_bytes(came.body[..4].try_into().unwrap())).unwrap(), 16 + 82 + 28);
}

#[tokio::test]
async fn a_stream_has_text_without_a_start() {
    let (came, _) = ask(FORMAT, "[[tokens=2]] [[tool=f args={}]]", true).await;
    let mut events = came.events(FORMAT);
    for (_, event) in &mut events {
        assert!(event.as_object_mut().unwrap().remove("p").is_some());
    }
    let expected = [
        ("messageStart", json!({ "role": "assistant" })),
        ("contentBlockDelta", json!({ "contentBlockIndex": 0, "delta": { "text": words(2)[0] } })),
        ("contentBlockDelta", json!({ "contentBlockIndex": 0, "delta": { "text": words(2)[1] } })),
        ("contentBlockStop", json!({ "contentBlockIndex": 0 })),
        (
            "contentBlockStart",
            json!({ "contentBlockIndex": 1,
                "start": { "toolUse": { "name": "f", "toolUseId": "tooluse_0000000000000000010000" } } }),
        ),
        ("contentBlockDelta", json!({ "contentBlockIndex": 1, "delta": { "toolUse": { "input": "{}" } } })),
        ("contentBlockStop", json!({ "contentBlockIndex": 1 })),
        ("messageStop", json!({ "stopReason": "tool_use" })),
        (
            "metadata",
            json!({ "metrics": { "latencyMs": 1 }, "usage": { "cacheReadInputTokens": 0, "cacheWriteInputTokens": 0,
                "inputTokens": 6, "outputTokens": 4, "totalTokens": 10 } }),
        ),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(name, event)| (name.to_owned(), event)).collect();
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_whole_answer_has_its_blocks_in_order() {
    let prompt =
        "[[tokens=2]] [[reason=1]] [[tool=f args={\"a\":1}]] [[cached=2]] [[cache_write=3]] [[cache_write_1h=1]]";
    let (came, _) = ask(FORMAT, prompt, false).await;
    let thinking = json!({ "signature": "EqQBCkgIBBAB00000000000000000001==", "text": "perhaps0" });
    let expected = json!({
        "metrics": { "latencyMs": 1 },
        "output": { "message": { "content": [
            { "reasoningContent": { "reasoningText": thinking } },
            { "text": text(2) },
            { "toolUse": { "input": { "a": 1 }, "name": "f", "toolUseId": "tooluse_0000000000000000010000" } }
        ], "role": "assistant" } },
        "stopReason": "tool_use",
        "usage": { "cacheReadInputTokens": 2, "cacheWriteInputTokens": 3,
            "cacheDetails": [{ "inputTokens": 1, "ttl": "1h" }, { "inputTokens": 2, "ttl": "5m" }],
            "inputTokens": 5, "outputTokens": 6, "totalTokens": 16 }
    });
    assert_eq!(came.json(), expected);
}

#[tokio::test]
async fn thoughts_are_signed() {
    let (came, _) = ask(FORMAT, "[[reason=1]]", true).await;
    let delta = &came.events(FORMAT)[2].1["delta"];
    assert_eq!(delta, &json!({ "reasoningContent": { "signature": "EqQBCkgIBBAB00000000000000000001==" } }));
}

#[tokio::test]
async fn an_exception_ends_a_stream() {
    let (came, heard) = ask(FORMAT, "[[error_in_stream=1 code=throttlingException]]", true).await;
    let (_, payload) = came.events(FORMAT).pop().unwrap();
    assert_eq!(heard.error.as_deref(), Some("throttlingException"));
    assert!(payload["message"].is_string());
}

#[tokio::test]
async fn errors_are_exceptions() {
    for (status, name) in [
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (408, "ModelTimeoutException"),
        (424, "ModelErrorException"),
        (429, "ThrottlingException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
    ] {
        let came = post(&standin(), path(FORMAT, true), &request(FORMAT, &format!("[[fail={status}]]"), true)).await;
        let expected = format!("{name}:http://internal.amazon.com/coral/com.amazon.bedrock/");
        assert_eq!((came.status, came.headers["x-amzn-errortype"].to_str().unwrap()), (status, expected.as_str()));
        assert!(came.json()["message"].is_string() && came.headers.contains_key("x-amzn-requestid"));
    }
}

#[tokio::test]
async fn a_model_with_an_encoded_name_is_found() {
    let body = request(FORMAT, "hi", false);
    let came = post(&standin(), "/model/anthropic.claude-v1%3A0%5B%5Btokens%3D2%5D%5D/converse", &body).await;
    assert_eq!(came.heard(FORMAT, false).words, [text(2)]);
}

#[tokio::test]
async fn a_request_that_bedrock_refuses_is_refused() {
    let with = |key: &str, value: Value| {
        let mut body = request(FORMAT, "hi", false);
        body[key] = value;
        body
    };
    let user = json!({ "role": "user", "content": [{ "text": "hi" }] });
    let model = json!({ "role": "assistant", "content": [{ "text": "hi" }] });
    let content = |content: Value| with("messages", json!([{ "role": "user", "content": content }]));
    let cases = [
        (with("messages", Value::Null), "ValidationException", "Value null at 'messages'"),
        (with("messages", json!([])), "ValidationException", "length greater than or equal to 1"),
        (with("messages", json!("hi")), "SerializationException", "messages"),
        (with("messages", json!([model])), "ValidationException", "must start with a user message"),
        (with("messages", json!([user, user])), "ValidationException", "must alternate between user and assistant"),
        (with("max_tokens", json!(1)), "ValidationException", "extraneous key [max_tokens]"),
        (with("inferenceConfig", json!({ "maxTokens": "1" })), "SerializationException", "inferenceConfig.maxTokens"),
        (content(json!([{ "text": " " }])), "ValidationException", "messages.0.content.0 is blank"),
        (content(json!([{ "type": "text", "text": "hi" }])), "ValidationException", "messages.0.content.0.type"),
        (content(json!([{ "text": "hi", "cachePoint": {} }])), "ValidationException", "exactly one member"),
    ];
    for (body, name, expected) in cases {
        let (found, message) = refused(&body).await;
        assert_eq!(found, name);
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn calls_need_results_and_tools() {
    let mut body = request(FORMAT, "hi", false);
    let call = json!({ "toolUse": { "toolUseId": "t1", "name": "f", "input": {} } });
    let result = json!({ "toolResult": { "toolUseId": "t1", "content": [{ "text": "1" }] } });
    let conversation = |last: &Value| {
        json!([{ "role": "user", "content": [{ "text": "hi" }] }, { "role": "assistant", "content": [call] },
            { "role": "user", "content": [last] }])
    };
    body["messages"] = conversation(&result);
    assert!(refused(&body).await.1.contains("toolConfig field must be defined"));
    body["toolConfig"] = json!({ "tools": [] });
    assert_eq!(post(&standin(), path(FORMAT, false), &body).await.status, 200);
    body["messages"] = conversation(&json!({ "text": "well?" }));
    assert!(refused(&body).await.1.contains("Expected toolResult blocks at messages.2.content"));
    body["messages"] = json!([{ "role": "user", "content": [result] }]);
    assert!(refused(&body).await.1.contains("exceeds the number of toolUse blocks"));
}
