//! Streams bring what the provider says: at once, whole, in its order, whoever reads how slowly.

use std::time::Duration;

use futures_util::future::join_all;
use lmo_bench::standin;

use crate::support::{Response, Running, events, streamed};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn each_piece_arrives_when_the_provider_makes_it() {
    let run = Running::start();
    let stream = run.lmo.post(CHAT, &streamed("[[flush]] [[chunk_delay=30ms]] [[tokens=10]]", 20)).await;
    let gaps = stream.arrivals.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    // A piece that waited for the next one would leave a gap out.
    let waits = gaps.filter(|gap| *gap > Duration::from_millis(12)).count();
    assert!(waits >= 9, "{waits} of 10 pieces came by themselves: {:?}", stream.arrivals);
}

#[tokio::test]
async fn the_first_piece_does_not_wait_for_the_second() {
    let run = Running::start();
    let mut stream = run.lmo.open("POST", CHAT, &run.lmo.key, Some(&streamed("[[stall_after=1]]", 20))).await;
    let mut text = String::new();
    while !text.contains(&standin::text(1)) {
        let piece = tokio::time::timeout(Duration::from_secs(1), stream.chunk()).await.unwrap().unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&piece));
    }
}

#[tokio::test]
async fn bytes_that_drip_in_make_the_same_text() {
    let run = Running::start();
    let stream = run.lmo.post(CHAT, &streamed("[[drip]] [[tokens=200]]", 300)).await;
    assert_eq!(stream.streamed_text(), standin::text(200));
}

#[tokio::test]
async fn two_hundred_streams_at_once_lose_and_mix_up_nothing() {
    let run = Running::start();
    let said = |stream: usize| (0..40).map(|word| format!("s{stream}w{word}")).collect::<Vec<_>>().join(" ");
    let ask = |stream| streamed(&format!("[[flush]] [[chunk_delay=2ms]] [[say={}]]", said(stream)), 100);
    let bodies: Vec<_> = (0..200).map(ask).collect();
    let streams = join_all(bodies.iter().map(|body| run.lmo.post(CHAT, body))).await;
    for (at, stream) in streams.iter().enumerate() {
        assert_eq!(stream.streamed_text(), said(at));
        assert!(stream.body.ends_with("data: [DONE]\n\n"));
    }
}

/// A catalogue whose small model may say more than the sockets between can keep, at a provider that must not be silent
/// for longer than half a second.
fn talkative(catalogue: &str) -> String {
    catalogue
        .replace("max_output_tokens = 4096", "max_output_tokens = 100000")
        .replace("idle_timeout_ms = 3000", "idle_timeout_ms = 500")
}

#[tokio::test]
async fn a_slow_reader_gets_every_piece() {
    let run = Running::with_models(|catalogue| talkative(&catalogue));
    let mut stream = run.lmo.open("POST", CHAT, &run.lmo.key, Some(&streamed("[[tokens=60000]]", 100_000))).await;
    let mut body = Vec::new();
    // The provider isn't silent while it waits for the reader.
    for pause in [900, 1200] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        body.extend_from_slice(&stream.chunk().await.unwrap().unwrap());
    }
    let rest = Response::read(stream).await;
    assert!(rest.whole);
    body.extend_from_slice(rest.body.as_bytes());
    let events = events(&String::from_utf8(body).unwrap());
    let text: String =
        events.iter().filter_map(|event| event["data"]["choices"][0]["delta"]["content"].as_str()).collect();
    assert!(text == standin::text(60_000), "{} of {} bytes", text.len(), standin::text(60_000).len());
}

#[tokio::test]
async fn a_comment_shows_after_fifteen_seconds_of_silence_that_the_connection_lives() {
    let run = Running::with_models(|catalogue| catalogue.replace("idle_timeout_ms = 3000", "idle_timeout_ms = 20000"));
    let mut stream = run.lmo.open("POST", CHAT, &run.lmo.key, Some(&streamed("[[stall_after=2]]", 20))).await;
    let mut text = String::new();
    let reading = async {
        while !text.ends_with(": keep-alive\n\n") {
            text.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
        }
    };
    tokio::time::timeout(Duration::from_secs(17), reading).await.unwrap();
}

#[tokio::test]
async fn a_stream_is_marked_not_to_be_kept_back_by_proxies() {
    let run = Running::start();
    let stream = run.lmo.post(CHAT, &streamed("hi", 20)).await;
    assert_eq!(stream.header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!((stream.header("cache-control"), stream.header("x-accel-buffering")), ("no-cache", "no"));
}
