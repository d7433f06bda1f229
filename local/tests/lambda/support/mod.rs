//! What the tests share: the functions' binaries, and what they stand on.

mod binaries;
mod ground;
mod records;

pub use ground::{Ground, ask};
pub use records::kinesis_event;
pub use serde_json::{Value, json};

use std::time::{Duration, Instant};

use lmo_bench::lambda::{HttpAnswer, HttpEvent};

/// A question for the stand-in, as a function URL passes it on: directives and text in one message, streamed.
pub fn streamed(ground: &Ground, text: &str) -> HttpEvent {
    let body = json!({
        "model": "standin/small", "max_tokens": 2000, "stream": true, "messages": [{"role": "user", "content": text}],
    });
    HttpEvent::file("function-url-chat-completions.json").key(ground.key()).body(&body)
}

/// A question for the stand-in, as API Gateway passes it on.
pub fn query(ground: &Ground, text: &str) -> HttpEvent {
    HttpEvent::file("apigw-query.json").key(ground.key()).body(&json!({"query": text, "max_tokens": 20}))
}

/// The data of server-sent events; what isn't JSON is text.
pub fn events(body: &str) -> Vec<Value> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect()
}

/// The text that the deltas of an `OpenAI` stream make.
pub fn text_of(body: &str) -> String {
    let events = events(body);
    events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect()
}

/// Fails unless the status is this.
pub fn assert_status(answer: &HttpAnswer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
}

/// Waits until `done` is true; fails after half a minute.
pub async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
