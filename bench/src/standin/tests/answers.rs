//! What a complete answer looks like.

use serde_json::{Value, json};

use super::{answer, asking, contents, events, eventually, parsed, standin, streaming};
use crate::standin::{text, words};

#[tokio::test]
async fn a_buffered_answer_has_openais_fields() {
    let answer = answer(&asking("Name a colour. [[tokens=3]]")).await;
    let expected = json!({
        "id": answer["id"], "object": "chat.completion", "created": answer["created"], "model": "small",
        "service_tier": "default", "system_fingerprint": "fp_57a4d1f0e2",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": text(3), "refusal": null, "annotations": [] },
            "logprobs": null, "finish_reason": "stop"
        }],
        "usage": {
            "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10,
            "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0 }
        }
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_stream_has_role_words_finish_usage_and_done() {
    let (events, is_whole) = events(&standin(), &streaming("[[tokens=2]]")).await;
    let chunks = parsed(&events);
    let deltas: Vec<_> = chunks.iter().map(|chunk| chunk["choices"][0]["delta"].clone()).collect();
    let role = json!({ "role": "assistant", "content": "", "refusal": null });
    let words = words(2);
    assert_eq!(deltas, [role, json!({ "content": words[0] }), json!({ "content": words[1] }), json!({}), Value::Null]);
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks[4]["usage"]["completion_tokens"], 2);
    assert_eq!(chunks[0].as_object().unwrap()["usage"], Value::Null);
    assert_eq!((events.last().map(String::as_str), is_whole), (Some("[DONE]"), true));
}

#[tokio::test]
async fn usage_is_sent_only_if_asked() {
    let mut body = streaming("[[tokens=2]]");
    body["stream_options"] = Value::Null;
    let (events, _) = events(&standin(), &body).await;
    assert!(events.iter().all(|event| !event.contains("usage")), "{events:?}");
}

#[tokio::test]
async fn no_usage_is_sent_even_if_asked() {
    let (events, _) = events(&standin(), &streaming("[[no_usage]]")).await;
    assert!(events.iter().all(|event| !event.contains("usage")), "{events:?}");
    assert_eq!(answer(&asking("[[no_usage]]")).await.get("usage"), None);
}

#[tokio::test]
async fn an_answer_stops_at_the_limit_with_length() {
    let mut body = asking("[[tokens=9]]");
    body["max_completion_tokens"] = json!(4);
    let answer = answer(&body).await;
    assert_eq!(answer["choices"][0]["message"]["content"], text(4));
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 4);
}

#[tokio::test]
async fn an_answer_that_just_fits_stops() {
    let mut body = asking("[[tokens=4]]");
    body["max_tokens"] = json!(4);
    assert_eq!(answer(&body).await["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn reasoning_is_part_of_the_limit() {
    let mut body = asking("[[tokens=9]] [[reason=20]] [[cached=2]]");
    body["max_completion_tokens"] = json!(22);
    let usage = answer(&body).await["usage"].clone();
    assert_eq!(usage["completion_tokens"], 22);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 20);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 2);
}

#[tokio::test]
async fn what_is_said_is_exact() {
    let (events, _) = events(&standin(), &streaming("[[say= \"é\"  日本\n🙂 [x] ]] and more")).await;
    assert_eq!(contents(&events).concat(), " \"é\"  日本\n🙂 [x] ");
}

#[tokio::test]
async fn a_directive_may_be_in_the_models_name() {
    let mut body = asking("hello");
    body["model"] = json!("small[[tokens=2]]");
    assert_eq!(answer(&body).await["choices"][0]["message"]["content"], text(2));
}

#[tokio::test]
async fn unknown_fields_are_at_each_level() {
    let (events, _) = events(&standin(), &streaming("[[unknown]] [[tokens=1]]")).await;
    let chunk = &parsed(&events)[1];
    assert!(chunk.get("x_envelope").is_some());
    assert!(chunk["choices"][0].get("x_choice").is_some());
    assert!(chunk["choices"][0]["delta"].get("x_delta").is_some());
    assert!(answer(&asking("[[unknown]]")).await["choices"][0]["message"].get("x_message").is_some());
}

#[tokio::test]
async fn requests_are_remembered_with_their_headers() {
    let standin = standin();
    let url = format!("{}/chat/completions", standin.base_url());
    let body = asking("[[tokens=3]]");
    let request = reqwest::Client::new().post(url).header("x-test", "1").body(body.to_string());
    request.send().await.unwrap().bytes().await.unwrap();
    let stats = eventually(&standin, |stats| stats.finished == 1).await;
    assert_eq!((&stats.recent[0].body, stats.recent[0].headers["x-test"].as_bytes()), (&body, b"1".as_slice()));
    assert_eq!((stats.prompt_tokens, stats.completion_tokens), (4, 3));
}

#[tokio::test]
async fn models_are_listed() {
    let standin = standin();
    let list = reqwest::get(format!("{}/models", standin.base_url())).await.unwrap().text().await.unwrap();
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((&list["object"], &list["data"][1]["id"]), (&json!("list"), &json!("large")));
}
