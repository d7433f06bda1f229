//! Signals: what is under way is finished, within the operator's patience.

use std::time::{Duration, Instant};

use lmo_bench::standin;

use crate::support::{Response, Running, chat, json, streamed};

const CHAT: &str = "/v1/chat/completions";

/// Half a second of an answer.
const SHORT: &str = "[[flush]] [[chunk_delay=50ms]] [[tokens=10]]";

async fn finishes(signal: &str) {
    let mut run = Running::start();
    let stream = run.lmo.open("POST", CHAT, &run.lmo.key, Some(&streamed(SHORT, 20))).await;
    run.lmo.signal(signal);
    let stream = Response::read(stream).await;
    assert_eq!(stream.streamed_text(), standin::text(10));
    assert!(stream.body.ends_with("data: [DONE]\n\n"));
    assert_eq!(run.lmo.wait().code(), Some(0));
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn sigterm_lets_a_stream_finish() {
    finishes("TERM").await;
}

#[tokio::test]
async fn sigint_lets_a_stream_finish() {
    finishes("INT").await;
}

#[tokio::test]
async fn a_whole_answer_is_finished_too() {
    let mut run = Running::start();
    let (client, base, key) = (run.lmo.client.clone(), run.lmo.base.clone(), run.lmo.key.clone());
    let asking = tokio::spawn(async move {
        let request = client.post(format!("{base}{CHAT}")).bearer_auth(key).header("content-type", "application/json");
        Response::read(request.body(chat("[[delay=500ms]]", 20).to_string()).send().await.unwrap()).await
    });
    crate::support::eventually(Duration::from_secs(2), "the call", || run.standin.stats().in_flight == 1).await;
    run.lmo.signal("TERM");
    assert_eq!(asking.await.unwrap().status, 200);
    assert_eq!(run.lmo.wait().code(), Some(0));
}

#[tokio::test]
async fn nothing_new_is_accepted_while_it_ends() {
    let run = Running::start();
    let stream = run.lmo.open("POST", CHAT, &run.lmo.key, Some(&streamed(SHORT, 20))).await;
    run.lmo.signal("TERM");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(reqwest::Client::new().get(format!("{}/healthz", run.lmo.base)).send().await.unwrap_err().is_connect());
    assert!(Response::read(stream).await.whole);
}

#[tokio::test]
async fn connections_that_are_kept_do_not_hold_it_up() {
    let mut run = Running::start();
    run.lmo.get("/healthz").await;
    let began = Instant::now();
    run.lmo.signal("TERM");
    assert_eq!(run.lmo.wait().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(1));
}

fn hurried() -> Running {
    let talkative = |catalogue: String| catalogue.replace("max_output_tokens = 4096", "max_output_tokens = 100000");
    Running::with(talkative, |setup| setup.env("LMO_PATIENCE_SECONDS", "1"))
}

#[tokio::test]
async fn a_stream_beyond_all_patience_ends_with_an_error_and_is_charged() {
    let mut run = hurried();
    let ask = streamed("[[flush]] [[chunk_delay=20ms]] [[tokens=2000]]", 2000);
    let stream = run.lmo.open("POST", CHAT, &run.lmo.key, Some(&ask)).await;
    let began = Instant::now();
    run.lmo.signal("TERM");
    let stream = Response::read(stream).await;
    assert!((900..3000).contains(&began.elapsed().as_millis()));
    assert_eq!(stream.events().last().unwrap()["data"]["error"]["code"], "unavailable");
    assert_eq!(run.lmo.wait().code(), Some(0));
    let books = run.setup.assert_books_agree();
    assert_eq!(books.len(), 1, "{}", json!(books));
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_it_up() {
    let mut run = hurried();
    let _unread = run.lmo.open("POST", CHAT, &run.lmo.key, Some(&streamed("[[tokens=90000]]", 100_000))).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    run.lmo.signal("TERM");
    assert_eq!(run.lmo.wait().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut run = Running::start();
    let _stream =
        run.lmo.open("POST", CHAT, &run.lmo.key, Some(&streamed("[[chunk_delay=1s]] [[tokens=30]]", 40))).await;
    run.lmo.signal("INT");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    run.lmo.signal("INT");
    assert_eq!(run.lmo.wait().code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(1));
}
