//! A Runtime API that fails.

use lmo_bench::lambda::{Fault, HttpEvent};

use crate::support::{Ground, assert_status, query, streamed};

#[tokio::test]
async fn a_poll_that_fails_ends_the_process_for_lambda_to_start_another() {
    let ground = Ground::new();
    let function = ground.launch("query").start().unwrap();
    function.host().fail(Fault::NextFails(500));
    // Where the first poll was quicker, this event is answered and the next poll fails.
    let _answer = function.open(query(&ground, "hi"));
    assert!(!function.ended().await.unwrap().status.success());
}

#[tokio::test]
async fn a_stream_whose_reader_is_gone_is_settled_and_the_next_is_answered() {
    let ground = Ground::new();
    let function = ground.function("stream");
    function.host().fail(Fault::ResponseCut(400));
    let answer = function.open(streamed(&ground, "[[chunk_delay=20ms]] [[tokens=1000]]")).answer().await;
    assert_eq!(answer.ended, None);
    let next = function.open(HttpEvent::file("function-url-stream.json").at("GET", "/healthz").without_body());
    assert_status(&next.answer().await.http().unwrap(), 200);
    // From one event to the next Lambda may freeze a process, and for ever.
    function.signal("STOP").unwrap();
    assert_eq!(ground.assert_books_agree().await.len(), 1);
    function.signal("CONT").unwrap();
    let next = function.open(streamed(&ground, "[[tokens=5]]")).answer().await;
    assert_status(&next.http().unwrap(), 200);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_in_the_books_and_the_next_is_answered() {
    let ground = Ground::new();
    let function = ground.function("query");
    function.host().fail(Fault::ResponseCut(1));
    let answer = function.open(query(&ground, "hi")).answer().await;
    assert_eq!(answer.ended, None);
    assert_status(&function.open(query(&ground, "hi")).answer().await.http().unwrap(), 200);
    assert_eq!(ground.assert_books_agree().await.len(), 1);
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_stream_is_in_the_books_at_last() {
    let ground = Ground::new();
    let function = ground.function("stream");
    let mut answer = function.open(streamed(&ground, "[[chunk_delay=50ms]] [[tokens=1000]]"));
    for _ in 0..5 {
        answer.chunk().await.unwrap();
    }
    function.signal("KILL").unwrap();
    function.ended().await.unwrap();
    assert_eq!(ground.assert_books_agree_at_last().len(), 1);
}
