//! What goes wrong when it is asked to, and who notices.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{asking, contents, events, eventually, parsed, post, standin, streaming};
use crate::standin::{Standin, StandinOptions, words};

#[tokio::test]
async fn an_unknown_directive_is_refused() {
    let standin = standin();
    assert_eq!(post(&standin, &asking("[[tokenz=2]]")).await.status(), 400);
    assert_eq!(standin.stats().failed, 1);
}

#[tokio::test]
async fn a_dripped_stream_is_the_same_stream() {
    let (events, is_whole) = events(&standin(), &streaming("[[tokens=12]] [[drip]]")).await;
    assert_eq!((contents(&events), is_whole), (words(12), true));
}

#[tokio::test]
async fn a_dripped_stream_is_split_inside_characters() {
    let standin = standin();
    let mut response = post(&standin, &streaming("[[say=日本]] [[drip]]")).await;
    let mut splits = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        splits += usize::from(std::str::from_utf8(&chunk).is_err());
    }
    assert!(splits > 0);
}

#[tokio::test]
async fn a_cut_stream_ends_without_done() {
    let standin = standin();
    let (events, is_whole) = events(&standin, &streaming("[[cut_after=3]]")).await;
    assert_eq!((contents(&events), is_whole), (words(3), false));
    assert_eq!(eventually(&standin, |stats| stats.in_flight == 0).await.broken, 1);
}

#[tokio::test]
async fn a_cut_body_is_shorter_than_its_length() {
    let standin = standin();
    let response = post(&standin, &asking("[[cut]]")).await;
    assert!(response.content_length().is_some());
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn a_malformed_event_comes_between_chunks() {
    let (events, is_whole) = events(&standin(), &streaming("[[tokens=4]] [[malformed_after=2]]")).await;
    assert!(serde_json::from_str::<Value>(&events[3]).is_err(), "{}", events[3]);
    assert_eq!((contents(&events), is_whole), (words(4), true));
}

#[tokio::test]
async fn an_error_event_ends_the_stream() {
    let (events, is_whole) = events(&standin(), &streaming("[[error_in_stream=2]]")).await;
    assert_eq!(parsed(&events).last().unwrap()["error"]["type"], "server_error");
    assert_eq!((contents(&events), is_whole), (words(2), true));
}

#[tokio::test]
async fn a_failure_is_counted_per_id() {
    let standin = standin();
    let body = asking("[[fail=429 retry_after=1 times=2 id=abc]]");
    for _ in 0..2 {
        let response = post(&standin, &body).await;
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"1".parse().unwrap()));
        let error: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(error["error"]["code"], "rate_limit_exceeded");
    }
    assert_eq!(post(&standin, &body).await.status(), 200);
    assert_eq!(post(&standin, &asking("[[fail=429 times=1 id=other]]")).await.status(), 429);
}

#[tokio::test]
async fn a_client_that_leaves_a_stalled_stream_is_noticed_at_once() {
    let standin = standin();
    let mut response = post(&standin, &streaming("[[stall_after=3]]")).await;
    while !String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()).contains(&words(3)[2]) {}
    let left = Instant::now();
    drop(response);
    let stats = eventually(&standin, |stats| stats.cancelled == 1).await;
    assert!(stats.cancellations[0].at - left < Duration::from_millis(200));
    assert_eq!((stats.in_flight, stats.finished), (0, 0));
}

#[tokio::test]
async fn a_client_that_does_not_wait_is_noticed() {
    for directive in ["[[stall]]", "[[delay=60s]]", "[[chunk_delay=60s]]"] {
        let standin = standin();
        let body = streaming(directive);
        let request = async { post(&standin, &body).await.bytes().await };
        assert!(tokio::time::timeout(Duration::from_millis(50), request).await.is_err());
        eventually(&standin, |stats| stats.cancelled == 1).await;
    }
}

#[tokio::test]
async fn flushed_chunks_arrive_one_by_one() {
    let standin = standin();
    let mut response = post(&standin, &streaming("[[flush]] [[chunk_delay=5ms]] [[tokens=8]]")).await;
    let mut reads = 0;
    while response.chunk().await.unwrap().is_some() {
        reads += 1;
    }
    assert!(reads >= 8, "{reads}");
}

#[tokio::test]
async fn a_missing_key_is_refused_if_keys_are_required() {
    let standin = Standin::start(StandinOptions { require_key: true, ..StandinOptions::default() }).unwrap();
    assert_eq!(post(&standin, &asking("hello")).await.status(), 401);
}

#[tokio::test]
async fn a_stopped_stand_in_refuses_connections() {
    let standin = standin();
    let addr = standin.addr();
    drop(standin);
    assert!(std::net::TcpStream::connect(addr).is_err());
}
