//! When a model fails before it has said anything, the next one answers, and is paid for what it said.

use std::time::{Duration, Instant};

use crate::support::{Lmo, Response, Running, Setup, chat, json, models, standin, streamed};

const CHAT: &str = "/v1/chat/completions";
const QUERY: &str = "/api/mcp/query";

/// The tests' catalogue with models that fail by their upstream names.
fn run() -> Running {
    Running::with_models(|catalogue| {
        let failing = |(name, directive): (&str, &str)| {
            format!(
                "[models.\"standin/{name}\"]\nprovider = \"standin\"\nupstream = \"{name} {directive}\"\n\
                 context_window = 128000\nprice = {{ input = 1, output = 2 }}\noverhead_tokens = 8\n"
            )
        };
        let all = [
            ("down", "[[fail=500]]"),
            ("full", "[[fail=429 retry_after=600]]"),
            ("strict", "[[fail=400]]"),
            ("early", "[[error_in_stream=0]]"),
            ("late", "[[cut_after=2]] [[flush]]"),
            ("slow", "[[delay=20s]]"),
        ];
        format!("{}{catalogue}", all.map(failing).concat())
    })
}

async fn ask(lmo: &Lmo, model: &str, fallbacks: &[&str], stream: bool) -> Response {
    let body = json!({"model": model, "stream": stream, "max_tokens": 20,
        "messages": [{"role": "user", "content": "[[tokens=3]]"}]});
    let request = lmo.client.post(format!("{}{CHAT}", lmo.base)).bearer_auth(&lmo.key);
    let request = request.header("x-lmo-fallbacks", fallbacks.join(", ")).header("content-type", "application/json");
    Response::read(request.body(body.to_string()).send().await.unwrap()).await
}

#[tokio::test]
async fn the_next_model_answers_and_is_named_and_billed() {
    let run = run();
    let answer = ask(&run.lmo, "standin/down", &["standin/full", "standin/small"], false).await;
    assert_eq!(
        (answer.header("x-lmo-model"), answer.json()["model"].as_str()),
        ("standin/small", Some("standin/small"))
    );
    assert_eq!(answer.json()["choices"][0]["message"]["content"], lmo_bench::standin::text(3));
    let report = run.lmo.usage_of(&run.lmo.key, 1).await;
    let usage = answer.json()["usage"].clone();
    let (input, output) = (usage["prompt_tokens"].as_u64().unwrap(), usage["completion_tokens"].as_u64().unwrap());
    assert_eq!(report["cost_nano_usd"], input * 150 + output * 600);
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_fallback_is_asked_without_a_wait() {
    let run = run();
    ask(&run.lmo, "standin/small", &[], false).await;
    let began = Instant::now();
    ask(&run.lmo, "standin/full", &["standin/small"], false).await;
    // A retry would wait for ten minutes.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(run.standin.stats().requests, 3);
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_piece_is_answered_by_the_next() {
    let run = run();
    let answer = ask(&run.lmo, "standin/early", &["standin/small"], true).await;
    assert_eq!((answer.streamed_text(), answer.header("x-lmo-model")), (lmo_bench::standin::text(3), "standin/small"));
}

#[tokio::test]
async fn after_the_first_piece_nobody_else_goes_on() {
    let run = run();
    let answer = ask(&run.lmo, "standin/late", &["standin/small"], true).await;
    let events = answer.events();
    assert_eq!(events.last().unwrap()["data"]["error"]["code"], "provider_cut");
    assert_eq!(answer.header("x-lmo-model"), "standin/late");
    assert_eq!(run.standin.stats().requests, 1);
}

#[tokio::test]
async fn what_is_wrong_with_the_request_no_other_model_is_asked() {
    let run = run();
    let answer = ask(&run.lmo, "standin/strict", &["standin/small"], false).await;
    assert_eq!((answer.status, run.standin.stats().requests), (400, 1));
}

#[tokio::test]
async fn when_all_fail_the_first_failure_is_told() {
    let run = run();
    ask(&run.lmo, "standin/full", &["standin/down"], false).await.assert_error(429, "provider_rate_limited");
}

#[tokio::test]
async fn the_tenants_fallbacks_hold_for_requests_that_name_none() {
    let run = run();
    let config = json!({"fallbacks": ["standin/small"]});
    assert_eq!(run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&config)).await.status, 200);
    let answer = run.lmo.post(QUERY, &json!({"query": "hi", "model": "standin/down", "max_tokens": 20})).await;
    assert_eq!(answer.json()["model"], "standin/small");
    let own = json!({"query": "hi", "model": "standin/down", "max_tokens": 20, "fallbacks": []});
    run.lmo.post(QUERY, &own).await.assert_error(503, "provider_unavailable");
}

#[tokio::test]
async fn a_fallback_that_does_not_exist_or_is_not_allowed_is_refused() {
    let run = run();
    ask(&run.lmo, "standin/small", &["gone"], false).await.assert_error(404, "model_not_found");
    let config = json!({"fallbacks": ["gone"]});
    let refused = run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&config)).await;
    assert_eq!((refused.status, refused.json()["param"].clone()), (400, json!("fallbacks[0]")));
    let config = json!({"allowed_models": ["standin/small"]});
    run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&config)).await;
    ask(&run.lmo, "standin/small", &["standin/plain"], false).await.assert_error(403, "model_not_allowed");
}

#[tokio::test]
async fn a_hedged_request_is_answered_by_whoever_is_first() {
    let run = run();
    let body = json!({"query": "[[tokens=3]]", "model": "standin/slow", "max_tokens": 20,
        "fallbacks": ["standin/small"], "hedge_after_ms": 50});
    let began = Instant::now();
    let answer = run.lmo.post(QUERY, &body).await;
    assert_eq!(answer.json()["model"], "standin/small");
    assert!((50..10_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_hedge_that_is_not_needed_calls_nobody() {
    let run = run();
    let body = json!({"query": "hi", "max_tokens": 20, "hedge_after_ms": 5000});
    run.lmo.post(QUERY, &body).await;
    assert_eq!(run.standin.stats().requests, 1);
}

/// The tests' catalogue with two endpoints for the provider, the first of them dead and with nearly all the weight.
fn two_endpoints(base_url: &str, breaker: &str) -> String {
    let endpoints = format!(
        "{breaker}\nendpoints = [{{ base_url = \"http://127.0.0.1:9/v1\", weight = 1000000 }}, {{ base_url = \"{base_url}\" }}]"
    );
    models(base_url, "0.15").replacen(&format!("base_url = \"{base_url}\""), &endpoints, 1)
}

#[tokio::test]
async fn another_endpoint_of_the_same_provider_answers_at_once() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    setup.write_models(&two_endpoints(&standin.base_url(), ""));
    let lmo = setup.start();
    let answer = lmo.post(CHAT, &streamed("[[tokens=3]]", 20)).await;
    assert_eq!(answer.streamed_text(), lmo_bench::standin::text(3));
}

#[tokio::test]
async fn an_open_breaker_is_told_at_once_and_closes_by_a_probe() {
    let run = Running::with_models(|catalogue| {
        catalogue.replacen("idle_timeout_ms", "breaker = { failures = 3, open_ms = 3000 }\nidle_timeout_ms", 1)
    });
    run.lmo.post(CHAT, &chat("[[fail=500]]", 20)).await.assert_error(503, "provider_unavailable");
    let refused = run.lmo.post(CHAT, &chat("hi", 20)).await;
    refused.assert_error(503, "provider_circuit_open");
    assert!((1..=3).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    assert_eq!(run.standin.stats().requests, 3);
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    assert_eq!(run.lmo.post(CHAT, &chat("hi", 20)).await.status, 200);
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn an_open_breaker_is_no_obstacle_for_a_fallback() {
    let run = Running::with_models(|catalogue| {
        catalogue.replacen("idle_timeout_ms", "breaker = { failures = 1, open_ms = 60000 }\nidle_timeout_ms", 1)
    });
    run.lmo.post(CHAT, &chat("[[fail=500]]", 20)).await;
    let answer = ask(&run.lmo, "standin/small", &["lmo/echo"], false).await;
    assert_eq!((answer.status, answer.header("x-lmo-model")), (200, "lmo/echo"));
}

#[tokio::test]
async fn a_whole_answer_that_does_not_come_is_answered_by_the_next() {
    let run = Running::with_models(|catalogue| {
        catalogue.replacen("idle_timeout_ms", "answer_timeout_ms = 300\nidle_timeout_ms", 1)
    });
    let body = json!({"query": "[[stall]]", "model": "standin/small", "max_tokens": 20, "fallbacks": ["lmo/echo"]});
    let began = Instant::now();
    assert_eq!(run.lmo.post(QUERY, &body).await.json()["model"], "lmo/echo");
    assert!((300..20_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}
