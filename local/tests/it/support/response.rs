//! A response that was read to its end.

use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;

use super::{Value, json};

/// Status, headers and body.
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    /// Whether the body came to its proper end.
    pub whole: bool,
    /// When each piece of the body arrived, since the head.
    pub arrivals: Vec<Duration>,
}

impl Response {
    pub async fn read(mut response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let began = Instant::now();
        let (mut body, mut arrivals) = (Vec::new(), Vec::new());
        let whole = loop {
            match response.chunk().await {
                Ok(Some(piece)) => {
                    arrivals.push(began.elapsed());
                    body.extend_from_slice(&piece);
                }
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        Self { status, headers, body: String::from_utf8_lossy(&body).into_owned(), whole, arrivals }
    }

    /// One that is there already.
    pub fn whole(status: u16, body: String) -> Self {
        Self { status, headers: HeaderMap::new(), body, whole: true, arrivals: Vec::new() }
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {}", self.status, self.body))
    }

    /// A header's text, empty if it isn't there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The events of a stream; see [`events`].
    pub fn events(&self) -> Vec<Value> {
        events(&self.body)
    }

    /// The text that the deltas of an `OpenAI` stream make.
    pub fn streamed_text(&self) -> String {
        let events = self.events();
        events.iter().filter_map(|event| event["data"]["choices"][0]["delta"]["content"].as_str()).collect()
    }

    /// Fails unless the status and the code of the error (in any of the shapes) are these.
    pub fn assert_error(&self, status: u16, code: &str) {
        let body = self.json();
        let found = body["code"].as_str().or_else(|| body["error"]["code"].as_str());
        assert_eq!((self.status, found), (status, Some(code)), "{body:#}");
    }
}

/// Server-sent events as `{"event": .., "id": .., "data": ..}`; data that isn't JSON is text.
pub fn events(text: &str) -> Vec<Value> {
    let field = |block: &str, name: &str| -> Option<String> {
        block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    };
    let blocks = text.split("\n\n").filter(|block| block.lines().any(|line| line.starts_with("data:")));
    let event = |block: &str| {
        let data = field(block, "data").unwrap_or_default();
        let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
        json!({"event": field(block, "event"), "id": field(block, "id"), "data": data})
    };
    blocks.map(event).collect()
}
