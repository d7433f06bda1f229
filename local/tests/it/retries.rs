//! Providers that fail before their first byte are tried again; what stays is told in LMO's words.

use std::{
    io::{Read, Write},
    net::TcpListener,
    time::{Duration, Instant},
};

use crate::support::{Response, Running, Setup, chat, json, models, streamed};

const QUERY: &str = "/api/mcp/query";
const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn a_provider_that_fails_twice_is_tried_a_third_time() {
    let run = Running::start();
    let answer =
        run.lmo.post(QUERY, &json!({"query": "[[fail=500 times=2 id=x]] [[tokens=3]]", "max_tokens": 20})).await;
    assert_eq!(answer.json()["content"], lmo_bench::standin::text(3));
    assert_eq!(run.standin.stats().requests, 3);
}

#[tokio::test]
async fn a_stream_is_tried_again_before_its_first_byte() {
    let run = Running::start();
    let stream = run.lmo.post(CHAT, &streamed("[[fail=503 times=2 id=x]] [[tokens=3]]", 20)).await;
    assert_eq!((stream.streamed_text(), run.standin.stats().requests), (lmo_bench::standin::text(3), 3));
}

#[tokio::test]
async fn a_full_provider_is_asked_again_when_it_says_so() {
    let run = Running::start();
    let began = Instant::now();
    let answer =
        run.lmo.post(QUERY, &json!({"query": "[[fail=429 retry_after=1 times=1 id=x]]", "max_tokens": 20})).await;
    assert_eq!(answer.status, 200);
    assert!((1000..3000).contains(&began.elapsed().as_millis()));
}

/// Closes the first two connections without an answer, and answers the third.
fn shy_provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (count, socket) in listener.incoming().enumerate() {
            let mut socket = socket.unwrap();
            if count < 2 {
                continue;
            }
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut piece = [0; 4096];
                let length = socket.read(&mut piece).unwrap();
                request.extend_from_slice(&piece[..length]);
            }
            let body = r#"{"choices":[{"index":0,"message":{"content":"here"},"finish_reason":"stop"}]}"#;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
            write!(socket, "{head}: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    base_url
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_first_byte_is_made_again() {
    let setup = Setup::with_standin(&shy_provider());
    let lmo = setup.start();
    assert_eq!(lmo.post(QUERY, &json!({"query": "hi", "max_tokens": 20})).await.json()["content"], "here");
}

#[tokio::test]
async fn a_provider_that_nobody_is_at_is_unreachable() {
    let setup = Setup::with_standin("http://127.0.0.1:9/v1");
    let lmo = setup.start();
    let refused = lmo.post(QUERY, &json!({"query": "hi"})).await;
    refused.assert_error(503, "provider_unreachable");
    assert_eq!(refused.header("retry-after"), "1");
}

#[tokio::test]
async fn a_provider_that_stays_full_is_a_429_that_says_how_long_to_wait() {
    let run = Running::start();
    for path in [QUERY, CHAT] {
        let refused = run.lmo.post(path, &question(path, "[[fail=429 retry_after=600]]")).await;
        refused.assert_error(429, "provider_rate_limited");
        assert_eq!(refused.header("retry-after"), "600");
    }
}

#[tokio::test]
async fn a_provider_that_stays_broken_is_a_503() {
    let run = Running::start();
    for path in [QUERY, CHAT] {
        let refused = run.lmo.post(path, &question(path, "[[fail=500]]")).await;
        refused.assert_error(503, "provider_unavailable");
        assert_eq!(refused.header("retry-after"), "1");
    }
    assert_eq!(run.standin.stats().requests, 6);
}

#[tokio::test]
async fn what_the_provider_has_against_the_request_is_told_in_its_own_words() {
    let run = Running::start();
    let refused = run.lmo.post(QUERY, &question(QUERY, "[[fail=400 code=bad_thing]]")).await;
    refused.assert_error(400, "provider_rejected");
    assert_eq!(refused.json()["detail"], "The request is not valid.");
    let refused = run.lmo.post(CHAT, &question(CHAT, "[[fail=400 code=bad_thing]]")).await;
    refused.assert_error(400, "bad_thing");
    assert_eq!(refused.json()["error"]["message"], "The request is not valid.");
    assert_eq!(run.standin.stats().requests, 2);
}

#[tokio::test]
async fn a_provider_that_refuses_the_operators_key_is_a_502_without_any_of_it() {
    let key = "api_key = { env = \"UPSTREAM_KEY\" }\nfirst_byte_timeout_ms";
    let run = Running::with(
        |catalogue| catalogue.replace("first_byte_timeout_ms", key),
        |setup| setup.env("UPSTREAM_KEY", "sk-operator"),
    );
    for path in [QUERY, CHAT] {
        let refused = run.lmo.post(path, &question(path, "[[fail=401]]")).await;
        refused.assert_error(502, "provider_credentials");
        for secret in ["sk-operator", "Incorrect API key", "127.0.0.1", "UPSTREAM_KEY"] {
            assert!(!refused.body.contains(secret), "{}", refused.body);
        }
    }
    assert_eq!(run.standin.stats().recent[0].headers["authorization"], "Bearer sk-operator");
}

#[tokio::test]
async fn what_failed_before_the_first_byte_is_free() {
    let run = Running::start();
    run.lmo.post(QUERY, &question(QUERY, "[[fail=400]]")).await;
    let usage = run.lmo.usage_of(&run.lmo.key, 1).await;
    assert_eq!((&usage["failed"], &usage["cost_nano_usd"], &usage["input_tokens"]), (&json!(1), &json!(0), &json!(0)));
    run.lmo.stop();
    run.setup.assert_books_agree();
}

fn hurried() -> Running {
    Running::with(|catalogue| catalogue, |setup| setup.env("LMO_REQUEST_DEADLINE_SECONDS", "2"))
}

#[tokio::test]
async fn the_deadline_ends_a_request_whatever_its_provider_does() {
    let run = hurried();
    for path in [QUERY, CHAT] {
        let began = Instant::now();
        run.lmo.post(path, &question(path, "[[stall]]")).await.assert_error(504, "deadline_exceeded");
        assert!((1900..2900).contains(&began.elapsed().as_millis()));
    }
}

#[tokio::test]
async fn the_deadline_ends_a_stream_with_an_error() {
    let run = hurried();
    let stream = run.lmo.post(CHAT, &streamed("[[flush]] [[chunk_delay=100ms]] [[tokens=100]]", 200)).await;
    assert_eq!(stream.events().last().unwrap()["data"]["error"]["code"], "deadline_exceeded");
    assert!(stream.arrivals.last().unwrap() < &Duration::from_millis(2900));
}

#[tokio::test]
async fn a_first_byte_that_does_not_come_is_a_timeout() {
    let standin = crate::support::standin();
    let setup = Setup::with_standin(&standin.base_url());
    setup.write_models(
        &models(&standin.base_url(), "0.15").replace("first_byte_timeout_ms = 3000", "first_byte_timeout_ms = 200"),
    );
    let lmo = setup.start();
    let refused: Response = lmo.post(CHAT, &streamed("[[stall]]", 20)).await;
    refused.assert_error(504, "provider_timeout");
    assert_eq!(standin.stats().requests, 3);
}

fn question(path: &str, text: &str) -> crate::support::Value {
    if path == QUERY { json!({"query": text, "max_tokens": 20}) } else { chat(text, 20) }
}
