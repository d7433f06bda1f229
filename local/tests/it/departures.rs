//! Clients that leave before the end.

use std::time::{Duration, Instant};

use lmo_bench::standin;

use crate::support::{Running, chat, eventually, json, streamed};

const CHAT: &str = "/v1/chat/completions";

/// Reads a stream until it has brought `text`, then leaves.
async fn read_until(mut stream: reqwest::Response, text: &str) -> Instant {
    let mut body = String::new();
    while !body.contains(text) {
        body.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
    }
    Instant::now()
}

#[tokio::test]
async fn the_provider_stops_within_a_second_of_the_client_leaving() {
    let run = Running::start();
    let ask = streamed("[[flush]] [[chunk_delay=20ms]] [[tokens=1000]]", 2000);
    let left = read_until(run.lmo.open("POST", CHAT, &run.lmo.key, Some(&ask)).await, "grün7").await;
    eventually(Duration::from_secs(3), "the cancellation", || run.standin.stats().cancelled == 1).await;
    let noticed = run.standin.stats().cancellations[0].at;
    assert!(noticed.saturating_duration_since(left) < Duration::from_secs(1));
}

#[tokio::test]
async fn what_was_received_before_the_client_left_is_charged() {
    let run = Running::start();
    let ask = streamed("[[flush]] [[chunk_delay=20ms]] [[tokens=1000]]", 2000);
    read_until(run.lmo.open("POST", CHAT, &run.lmo.key, Some(&ask)).await, "grün7").await;
    let usage = run.lmo.usage_of(&run.lmo.key, 1).await;
    let tokens = |words| standin::text(words).len().div_ceil(4) as u64;
    let charged = usage["output_tokens"].as_u64().unwrap();
    assert!((tokens(8)..tokens(60)).contains(&charged), "{charged} tokens");
    assert_eq!((&usage["estimated"], &usage["failed"]), (&json!(1), &json!(0)));
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_piece_ends_the_call_too() {
    let run = Running::start();
    let (ask, key) = (streamed("[[delay=2500ms]]", 20), run.lmo.key.clone());
    let mut asking = Box::pin(run.lmo.open("POST", CHAT, &key, Some(&ask)));
    tokio::select! {
        _ = &mut asking => panic!("the answer began"),
        () = eventually(Duration::from_secs(10), "the call", || run.standin.stats().requests == 1) => {}
    }
    drop(asking);
    eventually(Duration::from_secs(2), "the cancellation", || run.standin.stats().cancelled == 1).await;
    let usage = run.lmo.usage_of(&run.lmo.key, 1).await;
    assert_eq!(usage["cost_nano_usd"], 0);
}

#[tokio::test]
async fn a_whole_answer_is_finished_and_charged_exactly_though_nobody_waits_for_it() {
    let run = Running::start();
    let (ask, key) = (chat("[[delay=600ms]] [[tokens=7]]", 20), run.lmo.key.clone());
    {
        let mut asking = Box::pin(run.lmo.open("POST", CHAT, &key, Some(&ask)));
        tokio::select! {
            _ = &mut asking => panic!("the client waited"),
            () = eventually(Duration::from_secs(10), "the call", || run.standin.stats().requests == 1) => {}
        }
    }
    let usage = run.lmo.usage_of(&run.lmo.key, 1).await;
    assert_eq!((&usage["output_tokens"], &usage["estimated"]), (&json!(7), &json!(0)));
    assert_eq!(run.standin.stats().cancelled, 0);
}

#[tokio::test]
async fn many_clients_that_leave_at_once_leave_no_hold_behind() {
    let run = Running::start();
    let ask = streamed("[[flush]] [[chunk_delay=20ms]] [[tokens=1000]]", 2000);
    let leaving = (0..40).map(|_| async {
        read_until(run.lmo.open("POST", CHAT, &run.lmo.key, Some(&ask)).await, "stone1").await;
    });
    futures_util::future::join_all(leaving).await;
    run.lmo.usage_of(&run.lmo.key, 40).await;
    run.lmo.stop();
    run.setup.assert_books_agree();
}
