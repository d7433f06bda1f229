//! The stand-in over real connections, as a client sees it.

mod answers;
mod anthropic;
mod bedrock;
mod embeddings;
mod faults;
mod formats;
mod gemini;
mod hearing;
mod prompts;
mod responses;
mod speaking;
mod tools;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Standin, StandinOptions, Stats};

fn standin() -> Standin {
    Standin::start(StandinOptions::default()).unwrap()
}

/// One for all tests, because it takes long to make; without a pool, because each test has a runtime of its own.
fn client() -> &'static reqwest::Client {
    static CLIENT: LazyLock<reqwest::Client> =
        LazyLock::new(|| reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap());
    &CLIENT
}

async fn post(standin: &Standin, body: &Value) -> reqwest::Response {
    let url = format!("{}/chat/completions", standin.base_url());
    client().post(url).body(body.to_string()).send().await.unwrap()
}

fn asking(prompt: &str) -> Value {
    json!({ "model": "small", "messages": [{ "role": "user", "content": prompt }] })
}

fn streaming(prompt: &str) -> Value {
    json!({ "stream": true, "stream_options": { "include_usage": true }, "model": "small",
        "messages": [{ "role": "user", "content": prompt }] })
}

async fn answer(body: &Value) -> Value {
    let standin = standin();
    serde_json::from_str(&post(&standin, body).await.text().await.unwrap()).unwrap()
}

/// The `data:` lines of a stream, and whether it ended as HTTP wants.
async fn events(standin: &Standin, body: &Value) -> (Vec<String>, bool) {
    let mut response = post(standin, body).await;
    let mut bytes = Vec::new();
    let is_whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    let stream = String::from_utf8(bytes).unwrap();
    (stream.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap().to_owned()).collect(), is_whole)
}

fn parsed(events: &[String]) -> Vec<Value> {
    events.iter().filter_map(|event| serde_json::from_str(event).ok()).collect()
}

fn contents(events: &[String]) -> Vec<String> {
    let content = |chunk: Value| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
    parsed(events).into_iter().filter_map(content).filter(|content| !content.is_empty()).collect()
}

async fn eventually(standin: &Standin, holds: impl Fn(&Stats) -> bool) -> Stats {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let stats = standin.stats();
        if holds(&stats) {
            return stats;
        }
        assert!(Instant::now() < deadline, "{stats:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
