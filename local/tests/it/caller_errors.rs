//! Callers who are not who they should be.

use std::time::Duration;

use crate::{
    errors::{CHAT, QUERY, assert_shape, good},
    support::{Response, Running, json},
};

/// Fails unless that key is refused as `unauthenticated`, in both families.
async fn assert_refused(run: &Running, key: &str) {
    for path in [QUERY, CHAT] {
        let refused = run.lmo.send("POST", path, key, Some(&good(path))).await;
        assert_shape(path, &refused, 401, "unauthenticated");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    assert_eq!(run.standin.stats().requests, 0);
}

async fn new_key(run: &Running, request: crate::support::Value) -> (String, String) {
    let made = run.lmo.post("/api/tenant/keys", &request).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    (made["id"].as_str().unwrap().to_owned(), made["api_key"].as_str().unwrap().to_owned())
}

/// The same text with a right checksum.
fn with_checksum(body: &str) -> String {
    format!("{body}{:08x}", crc32fast::hash(body.as_bytes()))
}

#[tokio::test]
async fn a_request_without_a_key_is_refused() {
    assert_refused(&Running::start(), "").await;
}

#[tokio::test]
async fn a_malformed_key_is_refused() {
    let run = Running::start();
    for key in ["lmo_", "sk-something", &run.lmo.key[..run.lmo.key.len() - 1], &format!("{}0", run.lmo.key)] {
        assert_refused(&run, key).await;
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let run = Running::start();
    let body = &run.lmo.key[..run.lmo.key.len() - 8];
    let (start, last) = body.split_at(body.len() - 1);
    assert_refused(&run, &with_checksum(&format!("{start}{}", if last == "0" { "1" } else { "0" }))).await;
}

#[tokio::test]
async fn a_key_of_nobody_is_refused() {
    let run = Running::start();
    let body = &run.lmo.key[..run.lmo.key.len() - 8];
    let nobody = format!("{}00000000000000000000000000{}", &body[..4], &body[30..]);
    assert_refused(&run, &with_checksum(&nobody)).await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() {
    let run = Running::start();
    let (id, key) = new_key(&run, json!({"name": "short"})).await;
    assert_eq!(run.lmo.send("GET", "/v1/models", &key, None).await.status, 200);
    assert_eq!(run.lmo.send("DELETE", &format!("/api/tenant/keys/{id}"), &run.lmo.key, None).await.status, 204);
    assert_refused(&run, &key).await;
}

#[tokio::test]
async fn an_expired_key_is_refused() {
    let run = Running::start();
    let soon = time_in(Duration::from_millis(1_500));
    let (_, key) = new_key(&run, json!({"name": "short", "expires_at": soon})).await;
    assert_eq!(run.lmo.send("GET", "/v1/models", &key, None).await.status, 200);
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    assert_refused(&run, &key).await;
}

/// RFC 3339, that much from now.
pub fn time_in(wait: Duration) -> String {
    let clock = lmo_shared::clock::Clock::System;
    clock.now().after(wait).to_string()
}

#[tokio::test]
async fn another_scheme_than_bearer_is_refused() {
    let run = Running::start();
    let request = run.lmo.client.post(format!("{}{QUERY}", run.lmo.base)).basic_auth("demo", Some(&run.lmo.key));
    assert_shape(QUERY, &Response::read(request.send().await.unwrap()).await, 401, "unauthenticated");
}

#[tokio::test]
async fn a_key_is_taken_from_either_header() {
    let run = Running::start();
    for (name, value) in [("x-api-key", run.lmo.key.clone()), ("authorization", format!("bearer {}", run.lmo.key))] {
        let request = run.lmo.client.get(format!("{}/v1/models", run.lmo.base)).header(name, value);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}
