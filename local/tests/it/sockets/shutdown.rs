//! Signals while connections are open.

use std::time::{Duration, Instant};

use lmo_bench::standin;

use super::{SLOWLY, names, open, text};
use crate::support::{Running, json};

#[tokio::test]
async fn a_signal_lets_answers_finish_and_then_says_goodbye() {
    let mut run = Running::start();
    let mut socket = open(&run).await;
    socket.say(&json!({"id": "1", "query": format!("{SLOWLY} [[tokens=50]]")})).await;
    let mut frames = vec![socket.frame().await];
    run.lmo.signal("TERM");
    frames.extend(socket.answer().await);
    assert_eq!((names(&frames), text(&frames)), (vec!["delta", "usage", "done"], standin::text(50)));
    assert_eq!(socket.hear().await.unwrap_err().unwrap().0, 1001);
    assert_eq!(run.lmo.wait().code(), Some(0));
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_connection_that_says_nothing_does_not_hold_it_up() {
    let mut run = Running::start();
    let mut socket = open(&run).await;
    let began = Instant::now();
    run.lmo.signal("TERM");
    assert_eq!(socket.hear().await.unwrap_err().unwrap().0, 1001);
    drop(socket);
    assert_eq!(run.lmo.wait().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn what_is_asked_while_it_ends_is_refused() {
    let mut run = Running::start();
    let mut socket = open(&run).await;
    socket.say(&json!({"id": "1", "query": format!("{SLOWLY} [[tokens=100]]")})).await;
    socket.frame().await;
    run.lmo.signal("TERM");
    // Until it is known to end, it answers.
    let mut refused = false;
    for attempt in 0..50 {
        socket.say(&json!({"id": attempt.to_string(), "query": "[[tokens=1]]", "model": "nobody"})).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while let Ok(frame) = socket.hear().await {
        refused |= frame["data"]["code"] == "unavailable";
    }
    assert!(refused);
    assert_eq!(run.lmo.wait().code(), Some(0));
}

#[tokio::test]
async fn an_answer_beyond_all_patience_ends_with_an_error_and_is_charged() {
    let mut run = Running::with(|catalogue| catalogue, |setup| setup.env("LMO_PATIENCE_SECONDS", "1"));
    let mut socket = open(&run).await;
    socket.say(&json!({"query": format!("{SLOWLY} [[tokens=2000]]"), "max_tokens": 2000})).await;
    socket.frame().await;
    run.lmo.signal("TERM");
    let frames = socket.answer().await;
    assert_eq!(frames.last().unwrap()["data"]["code"], "unavailable");
    assert_eq!(socket.hear().await.unwrap_err().unwrap().0, 1001);
    assert_eq!(run.lmo.wait().code(), Some(0));
    let books = run.setup.assert_books_agree();
    assert_eq!(books.len(), 1);
}
