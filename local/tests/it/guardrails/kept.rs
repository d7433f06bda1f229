//! What LMO keeps: answers in the cache, turns in sessions.

use std::time::Duration;

use super::{assert_hidden, guarded, set, ways};
use crate::{
    matrix::{PROVIDERS, client::Client},
    support::{Running, Value, json},
};

const QUERY: &str = "/api/mcp/query";
const SAY: &str = "[[say=Write to ada@example.org now]]";

fn question(client: Client, model: &str, text: &str, stream: bool) -> Value {
    let mut body = client.body(model, text, stream);
    body["temperature"] = 0.into();
    body
}

#[tokio::test]
async fn an_answer_from_the_cache_is_masked_in_every_format() {
    let matrix = guarded(json!({"mask": [{"kind": "email", "on": "output"}]})).await;
    for (model, _) in PROVIDERS {
        for (client, stream) in ways() {
            let about = format!("{client:?} over {model}, stream {stream}");
            // A question of its own for each, so that each is both a miss and a hit.
            let body = question(client, model, &format!("{SAY} {about}"), stream);
            let mut answer = matrix.ask(client, &body).await;
            assert_eq!(answer.header("x-lmo-cache"), "miss", "{about}");
            for _ in 0..200 {
                answer = matrix.ask(client, &body).await;
                if answer.header("x-lmo-cache") == "hit" {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(answer.header("x-lmo-cache"), "hit", "{about}");
            assert_eq!(client.text(&answer), "Write to [EMAIL] now", "{about}: {}", answer.body);
            assert_hidden(&answer, &["example.org"], &about);
        }
    }
    matrix.end();
}

#[tokio::test]
async fn other_guardrails_apply_to_cached_answers_at_once() {
    let matrix = guarded(json!({"mask": [{"kind": "email", "on": "output"}]})).await;
    let body = question(Client::Query, "openai", SAY, false);
    matrix.ask(Client::Query, &body).await;
    let mut only = body.clone();
    only["cache"] = "only-if-cached".into();
    let mut tries = 0;
    while matrix.ask(Client::Query, &only).await.status != 200 {
        tries += 1;
        assert!(tries < 200, "nothing was kept");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (guardrails, content, finish) in [
        (json!({}), "Write to ada@example.org now", "stop"),
        (json!({"deny": [{"name": "to", "pattern": "to", "on": "output"}]}), "Write ", "content_filter"),
        (json!({"max_output_bytes": 3}), "Wri", "length"),
        (json!({"mask": [{"kind": "email", "on": "output"}]}), "Write to [EMAIL] now", "stop"),
    ] {
        set(&matrix.lmo, guardrails).await;
        let answer = matrix.ask(Client::Query, &only).await.json();
        assert_eq!((&answer["content"], &answer["finish_reason"]), (&json!(content), &json!(finish)), "{answer:#}");
    }
    assert_eq!(matrix.standin.stats().requests, 1);
    matrix.end();
}

#[tokio::test]
async fn an_answer_that_was_ended_is_not_kept() {
    let matrix = guarded(json!({"deny": [{"name": "to", "pattern": "to", "on": "output"}]})).await;
    let body = question(Client::Query, "openai", SAY, false);
    for _ in 0..2 {
        assert_eq!(matrix.ask(Client::Query, &body).await.header("x-lmo-cache"), "miss");
    }
    assert_eq!(matrix.standin.stats().requests, 2);
}

fn turn(text: &str) -> Value {
    json!({"query": text, "max_tokens": 40, "context": {"sessionId": "s"}})
}

#[tokio::test]
async fn a_session_keeps_the_masked_text() {
    let run = Running::start();
    set(&run.lmo, json!({"mask": [{"kind": "email"}, {"name": "bird", "pattern": "falcon", "on": "output"}]})).await;
    run.lmo.post(QUERY, &turn("I am bob@example.net [[say=Hello falcon]]")).await;
    let kept = run.lmo.get("/api/tenant/sessions/s").await;
    assert_hidden(&kept, &["example.net", "Hello falcon\""], "the session");
    assert!(kept.body.contains("I am [EMAIL]") && kept.body.contains("Hello [BIRD]"), "{}", kept.body);
    run.lmo.post(QUERY, &turn("And now?")).await;
    let heard = run.upstream_body().to_string();
    assert!(heard.contains("Hello [BIRD]") && !heard.contains("example.net"), "{heard}");
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn what_was_said_before_the_guardrails_were_set_is_masked_too() {
    let run = Running::start();
    run.lmo.post(QUERY, &turn("I am bob@example.net")).await;
    set(&run.lmo, json!({"mask": [{"kind": "email", "on": "input"}], "max_messages": 1, "max_input_bytes": 10})).await;
    let answer = run.lmo.post(QUERY, &turn("And now?")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let heard = run.upstream_body()["messages"].to_string();
    assert!(heard.contains("I am [EMAIL]") && !heard.contains("example.net"), "{heard}");
    assert!(heard.contains("And now?"), "{heard}");
}

#[tokio::test]
async fn a_session_that_holds_what_is_denied_now_does_not_go_on() {
    let run = Running::start();
    run.lmo.post(QUERY, &turn("Project falcon")).await;
    set(&run.lmo, json!({"deny": [{"name": "falcon", "pattern": "falcon", "on": "input"}]})).await;
    run.lmo.post(QUERY, &turn("And now?")).await.assert_error(400, "guardrail_blocked");
    assert_eq!(run.standin.stats().requests, 1);
    set(&run.lmo, json!({})).await;
    assert_eq!(run.lmo.post(QUERY, &turn("And now?")).await.status, 200);
}
