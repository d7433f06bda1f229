//! Many requests at once, and what a request may cost.

use std::time::Duration;

use futures_util::future::join_all;
use lmo_shared::clock::Clock;

use crate::support::{Lmo, Response, Value, chat, json, streamed};

/// A client, by what it waits for.
pub enum Client {
    /// Reads the answer to its end.
    Stays(Value),
    /// Leaves after the first piece of the answer.
    Leaves(Value),
}

/// Sends all at once; the answers are in the order of the requests, `None` for clients that left.
pub async fn burst(lmo: &Lmo, key: &str, clients: Vec<Client>) -> Vec<Option<Response>> {
    let ask = async |client: Client| match client {
        Client::Stays(body) => Some(ask(lmo, key, &body).await),
        Client::Leaves(body) => {
            let mut response = lmo.open("POST", "/v1/chat/completions", key, Some(&body)).await;
            if response.status().is_success() {
                let _ = response.chunk().await;
                return None;
            }
            Some(Response::read(response).await)
        }
    };
    join_all(clients.into_iter().map(ask)).await
}

/// Sends the same question `count` times at once.
pub async fn flood(lmo: &Lmo, key: &str, body: &Value, count: usize) -> Vec<Response> {
    let clients = (0..count).map(|_| Client::Stays(body.clone())).collect();
    burst(lmo, key, clients).await.into_iter().flatten().collect()
}

/// One question.
pub async fn ask(lmo: &Lmo, key: &str, body: &Value) -> Response {
    lmo.send("POST", "/v1/chat/completions", key, Some(body)).await
}

/// How many have this status.
pub fn with_status(responses: &[Response], status: u16) -> usize {
    responses.iter().filter(|response| response.status == status).count()
}

/// One of nine kinds of requests, half of them with something that goes wrong. None may cost more than 100 tokens.
pub fn mixed(index: usize) -> Client {
    match index % 9 {
        0 => Client::Stays(chat("[[tokens=8]]", 40)),
        1 => Client::Stays(streamed("[[tokens=8]]", 40)),
        2 => Client::Stays(chat(&format!("[[fail=500 times=1 id=f{index}]]"), 40)),
        3 => Client::Stays(streamed("[[cut_after=3]]", 40)),
        4 => Client::Stays(streamed("[[no_usage]]", 40)),
        5 => Client::Stays(streamed("[[malformed_after=2]]", 40)),
        6 => Client::Leaves(streamed("[[tokens=30]] [[chunk_delay=5ms]]", 40)),
        7 => Client::Stays(chat("[[cut]]", 40)),
        _ => Client::Stays(chat("[[tokens=60]]", 60)),
    }
}

/// The worst that a question of the tests may cost: its bytes, eight for its message, eight of the model, and the
/// output limit.
pub fn worst_case(text: &str, max_tokens: u64) -> u64 {
    text.len() as u64 + 16 + max_tokens
}

/// Makes a key with limits of its own, with a key that may.
pub async fn limited_key(lmo: &Lmo, admin: &str, limits: &Value) -> String {
    let body = json!({"name": "limited", "limits": limits});
    let made = lmo.send("POST", "/api/tenant/keys", admin, Some(&body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["api_key"].as_str().unwrap().to_owned()
}

/// Waits for the next minute if less than 15 seconds are left of this one.
pub async fn fresh_minute() {
    let into = Duration::from_millis(Clock::System.now().0 % 60_000);
    if into > Duration::from_secs(45) {
        tokio::time::sleep(Duration::from_mins(1).saturating_sub(into)).await;
    }
}

/// Both books of one tenant.
pub fn book_of(books: &[Value], tenant: &str) -> Value {
    books.iter().find(|book| book["tenant"] == tenant).unwrap_or_else(|| panic!("{tenant} has no books"))["books"]
        .clone()
}
