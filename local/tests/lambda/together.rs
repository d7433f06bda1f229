//! Lambda Managed Instances: several events at once in one process.

use crate::support::{Ground, assert_status, eventually, query, streamed, text_of};

#[tokio::test]
async fn four_events_are_handled_at_once() {
    let ground = Ground::new();
    let function = ground.launch("query").env("AWS_LAMBDA_MAX_CONCURRENCY", "4").start().unwrap();
    let answers: Vec<_> = (0..4).map(|at| function.open(query(&ground, &format!("[[delay=2s]] {at}")))).collect();
    eventually("four calls at once", || ground.standin.stats().in_flight == 4).await;
    for answer in answers {
        assert_status(&answer.answer().await.http().unwrap(), 200);
    }
    ground.assert_books_agree().await;
}

#[tokio::test]
async fn without_it_they_wait_for_each_other() {
    let ground = Ground::new();
    let function = ground.function("query");
    let answers: Vec<_> = (0..2).map(|at| function.open(query(&ground, &format!("[[delay=300ms]] {at}")))).collect();
    let mut ends = Vec::new();
    for answer in answers {
        let answer = answer.answer().await;
        ends.push((answer.taken.unwrap(), answer.ended.unwrap()));
    }
    assert!(ends[1].0 >= ends[0].1, "the second was taken before the first was answered");
}

#[tokio::test]
async fn streams_at_once_do_not_mix() {
    let ground = Ground::new();
    let function = ground.launch("stream").env("AWS_LAMBDA_MAX_CONCURRENCY", "4").start().unwrap();
    let ask = |tokens| function.open(streamed(&ground, &format!("[[chunk_delay=20ms]] [[tokens={tokens}]]")));
    let answers: Vec<_> = (5..9).map(|tokens| (tokens, ask(tokens))).collect();
    for (tokens, answer) in answers {
        let answer = answer.answer().await.http().unwrap();
        assert_eq!(text_of(&answer.text()), lmo_bench::standin::text(tokens));
    }
    ground.assert_books_agree().await;
}
