//! A newcomer's first two minutes.

use crate::support::{Setup, chat, json, standin, streamed};

#[tokio::test]
async fn a_question_is_answered_streamed_metered_and_reported() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let lmo = setup.start();

    let answer = lmo.post("/api/mcp/query", &json!({"query": "Hello there", "max_tokens": 20})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(answer["content"], lmo_bench::standin::text(16));
    assert_eq!(answer["model"], "standin/small");
    assert_eq!(answer["usage"]["input_tokens"], 5);
    assert_eq!(answer["usage"]["output_tokens"], 16);
    // 5 * 0.15 + 16 * 0.6 USD per million.
    assert_eq!(answer["cost"]["nano_usd"], 10_350);

    let stream = lmo.post("/v1/chat/completions", &streamed("[[tokens=5]] hi", 20)).await;
    assert_eq!(stream.streamed_text(), lmo_bench::standin::text(5));
    assert!(stream.body.ends_with("data: [DONE]\n\n"));
    let whole = lmo.post("/v1/chat/completions", &chat("[[tokens=5]] hi", 20)).await.json();
    assert_eq!(whole["choices"][0]["message"]["content"], lmo_bench::standin::text(5));

    let usage = lmo.usage_of(&lmo.key, 3).await;
    assert_eq!(usage["output_tokens"], 26);
    lmo.stop();
    setup.assert_books_agree();
}

#[tokio::test]
async fn what_was_metered_survives_a_restart_and_a_kill() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let lmo = setup.start();
    let key = lmo.key.clone();
    lmo.post("/v1/chat/completions", &chat("one", 20)).await;
    lmo.stop();
    let lmo = setup.start();
    assert_eq!(lmo.key, key);
    lmo.post("/v1/chat/completions", &chat("two", 20)).await;
    lmo.kill();
    let lmo = setup.start();
    assert_eq!(lmo.key, key);
    lmo.usage_of(&key, 2).await;
}
