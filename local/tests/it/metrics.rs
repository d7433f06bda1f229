//! What Prometheus reads.

use crate::support::{Lmo, Running, chat, json, streamed};

const CHAT: &str = "/v1/chat/completions";

async fn metrics(lmo: &Lmo) -> String {
    let response = lmo.send("GET", "/metrics", "", None).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    response.body
}

/// The value of a series.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn requests_tokens_cost_and_failures_are_counted() {
    let run = Running::start();
    let lmo = &run.lmo;
    lmo.post(CHAT, &streamed("[[tokens=5]] hi", 20)).await;
    lmo.post(CHAT, &chat("[[tokens=7]] hi", 20)).await;
    lmo.post(CHAT, &chat("[[fail=500 times=1 id=a]] hi", 20)).await;
    let cached = json!({"model": "standin/small", "max_tokens": 20, "temperature": 0,
        "messages": [{"role": "user", "content": "[[tokens=3]] again"}]});
    lmo.post(CHAT, &cached).await;
    lmo.post(CHAT, &cached).await;
    lmo.send("POST", CHAT, "lmo_wrong", Some(&cached)).await;

    let text = metrics(lmo).await;
    assert_eq!(value(&text, "lmo_requests_total"), 6.0);
    let model = |name: &str| format!("{name}{{model=\"standin/small\"}}");
    assert_eq!(value(&text, &model("lmo_output_tokens_total")), 5.0 + 7.0 + 16.0 + 3.0);
    assert_eq!(value(&text, &model("lmo_cache_hits_total")), 1.0);
    assert_eq!(value(&text, &model("lmo_upstream_errors_total")), 1.0);
    assert_eq!(value(&text, &model("lmo_retries_total")), 1.0);
    assert_eq!(value(&text, &model("lmo_time_to_first_token_milliseconds_count")), 1.0);
    assert_eq!(value(&text, "lmo_latency_milliseconds_bucket{le=\"+Inf\"}"), 6.0);
    assert!(value(&text, &model("lmo_cost_nano_usd_total")) > 0.0);
    assert!(text.contains("# TYPE lmo_latency_milliseconds histogram"), "{text}");
    assert!(!text.contains("tnt_") && !text.contains(&lmo.key));
}

#[tokio::test]
async fn refusals_are_counted() {
    let run = Running::start();
    let lmo = &run.lmo;
    let limits = json!({"name": "poor", "scopes": ["query"], "limits": {"monthly_tokens": 1}});
    let made = lmo.post("/api/tenant/keys", &limits).await.json();
    let key = made["api_key"].as_str().unwrap_or_else(|| panic!("{made:#}"));
    lmo.send("POST", CHAT, key, Some(&chat("hi", 20))).await.assert_error(402, "quota_exhausted");
    assert_eq!(value(&metrics(lmo).await, "lmo_refusals_total"), 1.0);
}

#[tokio::test]
async fn models_that_a_caller_makes_up_are_no_series() {
    let run = Running::start();
    let mut body = chat("hi", 20);
    body["model"] = "made/up".into();
    run.lmo.post(CHAT, &body).await.assert_error(404, "model_not_found");
    assert!(!metrics(&run.lmo).await.contains("made/up"));
}
