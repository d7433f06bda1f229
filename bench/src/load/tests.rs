//! The generator against the stand-in: it sees every flaw, and none where there is none.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::{Expected, LoadOptions, Mode, Report, Until, run};
use crate::standin::{Standin, StandinOptions, words};

async fn load(prompt: &str, connections: usize, requests: u64, mode: Mode) -> (Report, Standin) {
    let standin = Standin::start(StandinOptions::default()).unwrap();
    let stream = matches!(mode, Mode::Stream(_));
    let options = LoadOptions {
        url: format!("{}/chat/completions", standin.base_url()),
        headers: HeaderMap::new(),
        body: format!(
            r#"{{"model":"small","stream":{stream},"messages":[{{"role":"user","content":"@n@ {prompt}"}}]}}"#
        ),
        connections,
        until: Until::Requests(requests),
        mode,
        status: StatusCode::OK,
    };
    (run(options).await.unwrap(), standin)
}

fn expecting(count: usize) -> Mode {
    Mode::Stream(Expected { deltas: words(count).into(), longest_gap: Some(Duration::from_millis(200)) })
}

#[tokio::test]
async fn every_request_is_sent_once() {
    let (report, standin) = load("hello", 4, 100, Mode::Buffered).await;
    assert_eq!((report.requests, report.latency.count, standin.stats().requests), (100, 100, 100));
    assert!(report.is_clean());
}

#[tokio::test]
async fn no_two_requests_are_alike() {
    let (_, standin) = load("hello", 2, 20, Mode::Buffered).await;
    let prompts =
        standin.stats().recent.iter().map(|seen| seen.body.to_string()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(prompts.len(), 20);
}

#[tokio::test]
async fn a_perfect_stream_is_clean() {
    let (report, _) = load("[[tokens=50]] [[drip]]", 2, 6, expecting(50)).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.requests, report.chunks, report.first_chunk.count), (6, 300, 6));
}

#[tokio::test]
async fn a_short_stream_has_lost_chunks() {
    let (report, _) = load("[[tokens=48]]", 1, 1, expecting(50)).await;
    assert_eq!((report.lost, report.errors.len()), (2, 0));
}

#[tokio::test]
async fn a_cut_stream_is_an_error() {
    let (report, _) = load("[[cut_after=3]]", 1, 2, expecting(16)).await;
    assert_eq!((report.requests, report.errors.get("incomplete"), report.lost), (0, Some(&2), 26));
}

#[tokio::test]
async fn a_late_chunk_is_held_back() {
    let (report, _) = load("[[tokens=2]] [[chunk_delay=300ms]]", 1, 1, expecting(2)).await;
    assert_eq!(report.held_back, 1);
}

#[tokio::test]
async fn errors_are_counted_by_status() {
    let (report, _) = load("[[fail=503]]", 2, 5, Mode::Buffered).await;
    assert_eq!((report.failed(), report.errors.get("503")), (5, Some(&5)));
}

#[tokio::test]
async fn a_failure_that_is_wanted_is_a_success() {
    let standin = Standin::start(StandinOptions::default()).unwrap();
    let options = |status| LoadOptions {
        url: format!("{}/chat/completions", standin.base_url()),
        headers: HeaderMap::new(),
        body: r#"{"model":"small [[fail=500]]","messages":[{"role":"user","content":"hello"}]}"#.to_owned(),
        connections: 1,
        until: Until::Requests(3),
        mode: Mode::Buffered,
        status,
    };
    let report = run(options(StatusCode::INTERNAL_SERVER_ERROR)).await.unwrap();
    assert_eq!((report.requests, report.latency.count, report.failed()), (3, 3, 0));
    let report = run(options(StatusCode::OK)).await.unwrap();
    assert_eq!((report.requests, report.latency.count, report.failed()), (0, 0, 3));
}

#[tokio::test]
async fn nothing_listening_is_an_error() {
    let options = LoadOptions {
        url: "http://127.0.0.1:1/".into(),
        headers: HeaderMap::new(),
        body: String::new(),
        connections: 1,
        until: Until::Requests(1),
        mode: Mode::Buffered,
        status: StatusCode::OK,
    };
    assert!(run(options).await.is_err());
}
