//! The end of an execution environment.

use crate::support::{Ground, eventually, query, streamed};

#[tokio::test]
async fn sigterm_settles_a_stream_that_is_open() {
    let ground = Ground::new();
    let function = ground.function("stream");
    let mut answer = function.open(streamed(&ground, "[[chunk_delay=50ms]] [[tokens=1000]]"));
    // The prelude, what stands behind it, and something of the answer.
    for _ in 0..5 {
        answer.chunk().await.unwrap();
    }
    let ended = function.stop().await.unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    let books = ground.assert_books_agree().await;
    assert_eq!(books.len(), 1, "{books:?}");
    eventually("the end of the provider's stream", || ground.standin.stats().cancelled == 1).await;
}

#[tokio::test]
async fn sigterm_ends_a_function_that_waits() {
    let ground = Ground::new();
    for name in ["query", "stream", "tenant", "auth", "aggregate"] {
        let function = ground.function(name);
        function.host().first_poll().await.unwrap();
        let ended = function.stop().await.unwrap();
        assert_eq!(ended.status.code(), Some(0), "{name}: {}", ended.log);
    }
}

#[tokio::test]
async fn a_function_that_answers_asks_to_be_told_of_its_end() {
    let ground = Ground::new();
    let mut function = ground.function("query");
    function.invoke(query(&ground, "hi")).await.unwrap();
    assert_eq!(function.host().extensions().len(), 1);
}
