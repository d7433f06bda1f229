//! Streamed responses: as they come, and as they end.

use lmo_bench::standin::text;

use crate::support::{Ground, ask, assert_status, events, eventually, json, streamed, text_of};

#[tokio::test]
async fn what_the_provider_said_is_seen_before_it_says_more() {
    let ground = Ground::new();
    let function = ground.function("stream");
    let mut answer = function.open(streamed(&ground, "[[stall_after=3]] [[tokens=20]]"));
    let mut body = String::new();
    while !body.contains(&serde_json::to_string(text(3).split_whitespace().next_back().unwrap()).unwrap()[1..]) {
        body.push_str(&String::from_utf8_lossy(&answer.chunk().await.expect("an answer that goes on")));
    }
    assert_eq!(ground.standin.stats().in_flight, 1, "the provider hasn't finished");
}

#[tokio::test]
async fn pieces_that_come_apart_stay_apart() {
    let ground = Ground::new();
    let mut function = ground.function("stream");
    let answer = function.invoke(streamed(&ground, "[[chunk_delay=100ms]] [[tokens=10]]")).await.unwrap();
    assert_eq!(text_of(&answer.http().unwrap().text()), text(10));
    // A busy machine may join some.
    assert!(answer.chunks.len() >= 8, "{} chunks", answer.chunks.len());
    assert!(answer.chunks.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[tokio::test]
async fn the_prelude_has_status_and_header_fields() {
    let ground = Ground::new();
    let mut function = ground.function("stream");
    let answer = function.invoke(streamed(&ground, "[[tokens=2]]")).await.unwrap();
    assert_eq!(answer.content_type, "application/vnd.awslambda.http-integration-response");
    assert!(answer.chunks[0].bytes.starts_with(b"{\"statusCode\":200,"), "{:?}", answer.chunks[0].bytes);
    let answer = answer.http().unwrap();
    assert!(answer.header("content-type").starts_with("text/event-stream"));
    assert_eq!((answer.header("x-lmo-model"), answer.header("x-lmo-cache")), ("standin/small", "bypass"));
    assert!(answer.header("x-request-id").starts_with("req_") && answer.cookies.is_empty());
}

#[tokio::test]
async fn an_error_before_the_first_piece_has_a_status() {
    let ground = Ground::new();
    let mut function = ground.function("stream");
    let refused = ask(&mut function, streamed(&ground, "[[fail=400]]")).await;
    assert_status(&refused, 400);
    assert!(refused.json()["error"]["message"].is_string(), "{}", refused.text());
    let failed = ask(&mut function, streamed(&ground, "[[fail=500]]")).await;
    assert_status(&failed, 503);
    ground.assert_books_agree().await;
}

#[tokio::test]
async fn a_provider_that_breaks_off_ends_in_an_error_event_and_nothing_else() {
    let ground = Ground::new();
    let mut function = ground.function("stream");
    let answer = function.invoke(streamed(&ground, "[[flush]] [[cut_after=3]] [[tokens=20]]")).await.unwrap();
    // Nobody reads trailers: what went wrong is told in the stream, which then ends well.
    assert_eq!(answer.error, None);
    assert!(answer.ended.is_some());
    let body = answer.http().unwrap().text();
    assert!(!body.contains("Lambda-Runtime-Function-Error"), "{body}");
    assert_eq!(text_of(&body), text(3));
    assert!(events(&body).iter().any(|event| event["error"].is_object()), "{body}");
    ground.assert_books_agree().await;
}

#[tokio::test]
async fn a_buffered_answer_on_a_streaming_function_is_whole() {
    let ground = Ground::new();
    let body = json!({"max_tokens": 20, "messages": [{"role": "user", "content": "[[tokens=4]]"}]});
    let answer = ask(&mut ground.function("stream"), streamed(&ground, "").body(&body)).await;
    assert_status(&answer, 200);
    assert_eq!(answer.json()["choices"][0]["message"]["content"], text(4));
}

#[tokio::test]
async fn one_process_answers_many_requests_one_after_the_other() {
    let ground = Ground::new();
    let mut function = ground.function("stream");
    for tokens in 1..=5 {
        let answer = ask(&mut function, streamed(&ground, &format!("[[tokens={tokens}]]"))).await;
        assert_eq!(text_of(&answer.text()), text(tokens));
    }
    eventually("the last request's end", || ground.standin.stats().in_flight == 0).await;
    assert_eq!(ground.assert_books_agree().await.len(), 1);
}
