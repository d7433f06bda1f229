//! Gemini, byte for byte, and what Google refuses.

use serde_json::{Value, json};

use super::speaking::{ask, limited, path, post, request};
use super::standin;
use crate::standin::format::Format;
use crate::standin::{text, thoughts};

const FORMAT: Format = Format::Gemini;

async fn refused(body: &Value) -> String {
    let came = post(&standin(), path(FORMAT, false), body).await;
    let error = came.json()["error"].clone();
    assert_eq!((came.status, &error["code"], &error["status"]), (400, &json!(400), &json!("INVALID_ARGUMENT")));
    error["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_stream_is_written_as_google_writes_it() {
    let (came, _) = ask(FORMAT, "hi [[tokens=1]]", true).await;
    let rest = "\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":5}]},\"modelVersion\":\"small\",\
                \"responseId\":\"0000000000000000000001\"}\r\n\r\n";
    let counts = "\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":1,\"totalTokenCount\":6,";
    let expected = format!(
        "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"river0\"}}],\"role\":\"model\"}},\"index\":0}}],\
         {counts}{rest}data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"\"}}],\"role\":\"model\"}},\
         \"finishReason\":\"STOP\",\"index\":0}}],{counts}{rest}"
    );
    assert_eq!(came.text(), expected);
}

#[tokio::test]
async fn a_whole_answer_has_its_parts_in_order() {
    let (came, _) = ask(FORMAT, "[[tokens=2]] [[reason=3]] [[tool=f args={\"a\":1}]] [[cached=2]]", false).await;
    let signature = "CiQB00000000000000000001==";
    let expected = json!({
        "candidates": [{
            "content": {
                "parts": [
                    { "text": thoughts(3), "thought": true },
                    { "text": text(2) },
                    { "functionCall": { "name": "f", "args": { "a": 1 } }, "thoughtSignature": signature }
                ],
                "role": "model"
            },
            "finishReason": "STOP", "index": 0
        }],
        "usageMetadata": {
            "promptTokenCount": 8, "candidatesTokenCount": 5, "totalTokenCount": 16, "cachedContentTokenCount": 2,
            "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": 8 }], "thoughtsTokenCount": 3
        },
        "modelVersion": "small", "responseId": "0000000000000000000001"
    });
    assert_eq!(came.json(), expected);
    assert!(came.text().starts_with("{\n  \"candidates\""));
}

#[tokio::test]
async fn thoughts_are_counted_as_they_come() {
    let (came, _) = ask(FORMAT, "[[tokens=1]] [[reason=2]]", true).await;
    let counts: Vec<_> = came
        .events(FORMAT)
        .iter()
        .map(|(_, event)| event["usageMetadata"]["totalTokenCount"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [6, 7, 8, 8]);
    let last = came.events(FORMAT).pop().unwrap().1;
    assert!(last["candidates"][0]["content"]["parts"][0]["thoughtSignature"].is_string());
}

#[tokio::test]
async fn a_call_that_the_limit_cuts_is_left_out() {
    let prompt = "[[tool=f args={\"city\":\"Paris\"}]]";
    for streams in [true, false] {
        let body = limited(FORMAT, request(FORMAT, prompt, streams), 2);
        let heard = post(&standin(), path(FORMAT, streams), &body).await.heard(FORMAT, streams);
        assert_eq!((heard.calls.len(), heard.finish.as_deref()), (0, Some("MAX_TOKENS")));
        assert_eq!(heard.usage, Some([5, 0, 0, 2]));
    }
}

#[tokio::test]
async fn an_answer_of_thoughts_alone_has_no_text() {
    let body = limited(FORMAT, request(FORMAT, "[[tokens=0]]", false), 2);
    let answer = post(&standin(), path(FORMAT, false), &body).await.json();
    assert_eq!(answer["candidates"][0]["content"], json!({ "role": "model" }));
    assert_eq!(answer["usageMetadata"].get("candidatesTokenCount"), None);
}

#[tokio::test]
async fn errors_have_googles_names() {
    for (status, name) in [(404, "NOT_FOUND"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL"), (503, "UNAVAILABLE")] {
        let came = post(&standin(), path(FORMAT, true), &request(FORMAT, &format!("[[fail={status}]]"), true)).await;
        let error = came.json()["error"].clone();
        assert_eq!((came.status, &error["code"], &error["status"]), (status, &json!(status), &json!(name)));
    }
}

#[tokio::test]
async fn an_error_event_has_the_code_of_its_name() {
    let (came, _) = ask(FORMAT, "[[error_in_stream=1 code=UNAVAILABLE]]", true).await;
    let error = came.events(FORMAT).pop().unwrap().1["error"].clone();
    assert_eq!((&error["code"], &error["status"]), (&json!(503), &json!("UNAVAILABLE")));
}

#[tokio::test]
async fn a_model_with_an_encoded_name_is_found() {
    let body = request(FORMAT, "hi", false);
    let came = post(&standin(), "/v1beta/models/small%5B%5Btokens=2%5D%5D%3AgenerateContent", &body).await;
    assert_eq!((came.status, came.heard(FORMAT, false).words), (200, vec![text(2)]));
    assert_eq!(came.json()["modelVersion"], "small[[tokens=2]]");
}

#[tokio::test]
async fn a_stream_that_is_not_sse_is_refused() {
    let came = post(&standin(), "/v1beta/models/small:streamGenerateContent", &request(FORMAT, "hi", true)).await;
    assert_eq!((came.status, &came.json()["error"]["status"]), (400, &json!("INVALID_ARGUMENT")));
}

#[tokio::test]
async fn a_request_that_google_refuses_is_refused() {
    let with = |key: &str, value: Value| {
        let mut body = request(FORMAT, "hi", false);
        body[key] = value;
        body
    };
    let parts = |parts: Value| with("contents", json!([{ "role": "user", "parts": parts }]));
    let cases = [
        (with("contents", json!([])), "contents is not specified"),
        (parts(json!([])), "GenerateContentRequest.contents[0].parts: parts is not specified"),
        (with("contents", json!([{ "role": "system", "parts": [{ "text": "hi" }] }])), "valid role: user, model"),
        (with("messages", json!([])), "Unknown name \"messages\": Cannot find field."),
        (with("generationConfig", json!({ "maxTokens": 1 })), "Unknown name \"maxTokens\" at 'generationConfig'"),
        (
            with("generationConfig", json!({ "maxOutputTokens": "1" })),
            "Invalid value at 'generationConfig.maxOutputTokens'",
        ),
        (parts(json!([{ "type": "text", "text": "hi" }])), "Unknown name \"type\" at 'contents[0].parts[0]'"),
        (
            parts(json!([{ "functionResponse": { "name": "f", "response": {} } }])),
            "number of function response parts is equal to the number of function call parts",
        ),
    ];
    for (body, expected) in cases {
        let message = refused(&body).await;
        assert!(message.contains(expected), "{message}");
    }
}
