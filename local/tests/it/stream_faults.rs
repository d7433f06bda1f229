//! A stream that breaks says so, and what came through is charged.

use lmo_bench::standin;

use crate::support::{Running, json, streamed};

const CHAT: &str = "/v1/chat/completions";

fn impatient(catalogue: &str) -> String {
    catalogue.replace("idle_timeout_ms = 3000", "idle_timeout_ms = 300")
}

/// Fails unless a stream with that fault behind three pieces brings the three, then an error of that code in `OpenAI`'s
/// shape, then nothing, and is charged for three.
async fn breaks(fault: &str, code: &str) {
    let run = Running::with_models(|catalogue| impatient(&catalogue));
    let ask = streamed(&format!("[[{fault}]] [[flush]]"), 20);
    let stream = run.lmo.post(CHAT, &ask).await;
    assert_eq!((stream.status, stream.whole), (200, true));
    assert_eq!(stream.streamed_text(), standin::text(3));
    let events = stream.events();
    let error = &events.last().unwrap()["data"]["error"];
    assert_eq!((&error["code"], &error["type"]), (&json!(code), &json!("api_error")), "{}", stream.body);
    assert!(error["message"].is_string() && !stream.body.contains("[DONE]"));

    let usage = run.lmo.usage_of(&run.lmo.key, 1).await;
    let received = standin::text(3).len().div_ceil(4);
    assert_eq!(
        (&usage["failed"], &usage["estimated"], &usage["output_tokens"]),
        (&json!(1), &json!(1), &json!(received))
    );
    assert!(usage["input_tokens"].as_u64().unwrap() > 0);
    // Nothing of an answer is asked for twice.
    assert_eq!(run.standin.stats().requests, 1);
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_ends_with_an_error() {
    breaks("cut_after=3", "provider_cut").await;
}

#[tokio::test]
async fn a_malformed_piece_ends_with_an_error() {
    breaks("malformed_after=3", "provider_malformed").await;
}

#[tokio::test]
async fn an_error_event_of_the_provider_ends_with_an_error() {
    breaks("error_in_stream=3", "provider_failed").await;
}

#[tokio::test]
async fn silence_beyond_the_idle_timeout_ends_with_an_error() {
    breaks("stall_after=3", "provider_timeout").await;
}

#[tokio::test]
async fn what_the_provider_says_of_its_inside_is_not_passed_on() {
    let run = Running::start();
    let stream = run.lmo.post(CHAT, &streamed("[[error_in_stream=3]]", 20)).await;
    assert!(!stream.body.contains("while processing your request"), "{}", stream.body);
}

#[tokio::test]
async fn a_whole_answer_that_breaks_is_an_error_and_free() {
    let run = Running::start();
    for (fault, code) in [("cut", "provider_cut"), ("malformed_after=2", "provider_malformed")] {
        let ask = json!({"query": format!("[[{fault}]]"), "max_tokens": 20});
        run.lmo.post("/api/mcp/query", &ask).await.assert_error(502, code);
    }
    let usage = run.lmo.usage_of(&run.lmo.key, 2).await;
    assert_eq!((&usage["failed"], &usage["cost_nano_usd"]), (&json!(2), &json!(0)));
}
