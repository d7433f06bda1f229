//! What LMO doesn't know goes through; what it bills by is asked for and counted.

use crate::support::{Running, Value, chat, json, streamed};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn fields_that_nobody_knows_reach_the_provider_at_every_level() {
    let run = Running::start();
    let mut body = chat("hi", 20);
    body["x_top"] = json!({"later": [1, null]});
    body["seed"] = json!(7);
    body["stream"] = json!(true);
    body["stream_options"] = json!({"x_option": 1});
    body["messages"][0]["x_message"] = json!("m");
    body["messages"][0]["content"] = json!([{"type": "text", "text": "hi", "x_part": true}]);
    body["tools"] = json!([{"type": "function", "x_tool": 1, "function": {"name": "f", "strict": true}}]);
    assert_eq!(run.lmo.post(CHAT, &body).await.status, 200);
    let seen = run.upstream_body();
    assert_eq!((&seen["x_top"], &seen["seed"], &seen["tools"]), (&body["x_top"], &body["seed"], &body["tools"]));
    assert_eq!(seen["messages"], body["messages"]);
    assert_eq!(seen["stream_options"]["x_option"], 1);
}

#[tokio::test]
async fn fields_that_nobody_knows_reach_the_client_at_every_level() {
    let run = Running::start();
    let answer = run.lmo.post(CHAT, &chat("[[unknown]]", 20)).await.json();
    assert_eq!(answer["x_envelope"], json!({"later": [1, null, "two"]}));
    assert_eq!((&answer["service_tier"], &answer["usage"]["x_usage"]), (&json!("default"), &json!({"later": 0})));
    let choice = &answer["choices"][0];
    assert_eq!((&choice["x_choice"], &choice["message"]["x_message"]), (&json!(1), &json!({"later": true})));
}

#[tokio::test]
async fn fields_that_nobody_knows_reach_the_client_in_a_stream() {
    let run = Running::start();
    let mut body = streamed("[[unknown]]", 20);
    body["stream_options"] = json!({"include_usage": true});
    let events = run.lmo.post(CHAT, &body).await.events();
    let chunk = &events[1]["data"];
    assert_eq!(chunk["x_envelope"], json!({"later": [1, null, "two"]}));
    assert_eq!(chunk["choices"][0]["x_choice"], 1);
    assert_eq!(chunk["choices"][0]["delta"].get("x_delta"), Some(&Value::Null));
    assert_eq!(events[events.len() - 2]["data"]["usage"]["x_usage"], json!({"later": 0}));
}

#[tokio::test]
async fn usage_is_asked_for_though_the_client_does_not() {
    let run = Running::start();
    let stream = run.lmo.post(CHAT, &streamed("hi", 20)).await;
    assert_eq!(run.upstream_body()["stream_options"]["include_usage"], true);
    assert!(!stream.body.contains("\"usage\""), "{}", stream.body);
}

#[tokio::test]
async fn usage_is_shown_in_a_last_chunk_if_the_client_asks_for_it() {
    let run = Running::start();
    let mut body = streamed("[[tokens=5]]", 20);
    body["stream_options"] = json!({"include_usage": true});
    let events = run.lmo.post(CHAT, &body).await.events();
    let last = &events[events.len() - 2]["data"];
    assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(5)));
    assert!(events[..events.len() - 2].iter().all(|event| event["data"]["usage"].is_null()));
}

#[tokio::test]
async fn an_answer_without_a_count_is_counted_here_and_says_so() {
    let run = Running::start();
    let events = run
        .lmo
        .post("/api/mcp/stream", &json!({"query": "[[no_usage]] [[tokens=9]]", "max_tokens": 20}))
        .await
        .events();
    let usage = &events[events.len() - 2]["data"];
    let counted = lmo_bench::standin::text(9).len().div_ceil(4);
    assert_eq!((&usage["estimated"], &usage["output_tokens"]), (&json!(true), &json!(counted)));
    let whole =
        run.lmo.post("/api/mcp/query", &json!({"query": "[[no_usage]] [[tokens=9]]", "max_tokens": 20})).await.json();
    assert_eq!((&whole["estimated"], &whole["usage"]["output_tokens"]), (&json!(true), &json!(counted)));
    let report = run.lmo.usage_of(&run.lmo.key, 2).await;
    assert_eq!((&report["estimated"], &report["failed"]), (&json!(2), &json!(0)));
}

#[tokio::test]
async fn cached_and_reasoning_tokens_are_counted_and_priced() {
    let run = Running::start();
    let ask = json!({"query": "[[reason=20]] [[cached=5]] [[tokens=10]] one two", "max_tokens": 50});
    let answer = run.lmo.post("/api/mcp/query", &ask).await.json();
    let usage = json!({"input_tokens": 8, "cached_input_tokens": 5, "cache_write_tokens": 0, "cache_write_1h_tokens": 0,
        "output_tokens": 30, "reasoning_tokens": 20, "cache_hit_tokens": 0});
    assert_eq!(answer["usage"], usage);
    // 3 * 0.15 + 5 * 0.075 + 30 * 0.6 USD per million.
    assert_eq!(answer["cost"], json!({"nano_usd": 18_825, "usd": "0.000018825"}));
    let report = run.lmo.usage_of(&run.lmo.key, 1).await;
    let kinds = ["cached_input_tokens", "reasoning_tokens", "cost_nano_usd"].map(|kind| report[kind].as_u64().unwrap());
    assert_eq!(kinds, [5, 20, 18_825]);
}
