//! What a tenant sets for all its requests.

use crate::{
    errors::{CHAT, QUERY, assert_shape, param},
    support::{Running, Value, chat, json},
};

const CONFIG: &str = "/api/tenant/config";

async fn set(run: &Running, config: Value) {
    let changed = run.lmo.send("PUT", CONFIG, &run.lmo.key, Some(&config)).await;
    assert_eq!((changed.status, changed.json()), (200, config), "{}", changed.body);
}

async fn ask(run: &Running, body: Value) -> Value {
    let answer = run.lmo.post(QUERY, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[tokio::test]
async fn a_configuration_reads_back_as_it_was_set() {
    let run = Running::start();
    assert_eq!(run.lmo.get(CONFIG).await.json(), json!({}));
    let all = json!({
        "default_model": "fast",
        "allowed_models": ["standin/small", "lmo/echo"],
        "temperature": 0.3,
        "max_tokens": 100,
        "system_prompt": "Be brief. 日本",
        "allowed_origins": ["https://app.example.com", "http://localhost:3000"],
        "session_ttl_seconds": 3600,
        "session_summary": true,
    });
    set(&run, all.clone()).await;
    assert_eq!(run.lmo.get(CONFIG).await.json(), all);
    set(&run, json!({})).await;
    assert_eq!(run.lmo.get(CONFIG).await.json(), json!({}));
}

#[tokio::test]
async fn the_default_model_answers_requests_that_name_none() {
    let run = Running::start();
    set(&run, json!({"default_model": "standin/plain"})).await;
    assert_eq!(ask(&run, json!({"query": "hi", "max_tokens": 5})).await["model"], "standin/plain");
    assert_eq!(ask(&run, json!({"query": "hi", "max_tokens": 5, "model": "fast"})).await["model"], "standin/small");
}

#[tokio::test]
async fn a_model_that_is_not_allowed_is_refused() {
    let run = Running::start();
    set(&run, json!({"allowed_models": ["standin/plain"]})).await;
    for (path, body) in [(QUERY, json!({"query": "hi", "model": "fast"})), (CHAT, chat("hi", 5))] {
        let refused = run.lmo.post(path, &body).await;
        assert_shape(path, &refused, 403, "model_not_allowed");
        assert_eq!(param(&refused), "model");
    }
    assert_eq!(ask(&run, json!({"query": "hi", "model": "standin/plain"})).await["model"], "standin/plain");
}

#[tokio::test]
async fn an_alias_allows_its_model_by_either_name() {
    let run = Running::start();
    set(&run, json!({"allowed_models": ["fast"]})).await;
    for name in ["fast", "standin/small", "default"] {
        ask(&run, json!({"query": "hi", "model": name, "max_tokens": 5})).await;
    }
}

#[tokio::test]
async fn no_model_at_all_may_be_allowed() {
    let run = Running::start();
    set(&run, json!({"allowed_models": []})).await;
    run.lmo.post(QUERY, &json!({"query": "hi"})).await.assert_error(403, "model_not_allowed");
}

#[tokio::test]
async fn the_temperature_holds_for_requests_that_give_none() {
    let run = Running::start();
    set(&run, json!({"temperature": 0.25})).await;
    ask(&run, json!({"query": "hi", "max_tokens": 5})).await;
    assert_eq!(run.upstream_body()["temperature"], 0.25);
    ask(&run, json!({"query": "hi", "max_tokens": 5, "temperature": 0})).await;
    assert_eq!(run.upstream_body()["temperature"].as_f64(), Some(0.0));
}

#[tokio::test]
async fn the_most_tokens_limit_what_a_request_asks_for() {
    let run = Running::start();
    set(&run, json!({"max_tokens": 3})).await;
    for body in [json!({"query": "[[tokens=9]]"}), json!({"query": "[[tokens=9]]", "max_tokens": 8})] {
        let answer = ask(&run, body).await;
        assert_eq!((&answer["usage"]["output_tokens"], &answer["finish_reason"]), (&json!(3), &json!("length")));
    }
    ask(&run, json!({"query": "[[tokens=9]]", "max_tokens": 2})).await;
    assert_eq!(run.upstream_body()["max_tokens"], 2);
}

#[tokio::test]
async fn the_system_prompt_comes_before_the_conversation() {
    let run = Running::start();
    set(&run, json!({"system_prompt": "Be brief."})).await;
    ask(&run, json!({"query": "hi", "max_tokens": 5})).await;
    let system = json!({"role": "system", "content": "Be brief."});
    assert_eq!(run.upstream_body()["messages"], json!([system, {"role": "user", "content": "hi"}]));
}

#[tokio::test]
async fn a_requests_own_system_prompt_takes_the_place_of_the_tenants() {
    let run = Running::start();
    set(&run, json!({"system_prompt": "Be brief."})).await;
    let own = json!([{"role": "developer", "content": "Be long."}, {"role": "user", "content": "hi"}]);
    run.lmo.post(CHAT, &json!({"messages": own, "max_tokens": 5})).await;
    assert_eq!(run.upstream_body()["messages"], own);
}

#[tokio::test]
async fn a_conversation_is_sent_in_its_order() {
    let run = Running::start();
    let (first, second) = (json!({"role": "user", "content": "one"}), json!({"role": "assistant", "content": "two"}));
    ask(&run, json!({"query": "three", "context": {"previousMessages": [first, second]}, "max_tokens": 5})).await;
    assert_eq!(run.upstream_body()["messages"], json!([first, second, {"role": "user", "content": "three"}]));
}

#[tokio::test]
async fn what_is_wrong_with_a_configuration_is_named() {
    let run = Running::start();
    for (config, named) in [
        (json!({"default_model": "gpt-99"}), "default_model"),
        (json!({"allowed_models": ["fast", "gpt-99"]}), "allowed_models[1]"),
        (json!({"temperature": 2.5}), "temperature"),
        (json!({"temperature": "warm"}), "temperature"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"max_tokens": -1}), "max_tokens"),
        (json!({"system_prompt": "x".repeat(100_001)}), "system_prompt"),
        (json!({"allowed_origins": ["https://a.example", "a.example"]}), "allowed_origins[1]"),
        (json!({"allowed_origins": ["https://a.example/path"]}), "allowed_origins[0]"),
        (json!({"session_ttl_seconds": 59}), "session_ttl_seconds"),
        (json!({"colour": "red"}), "colour"),
    ] {
        let refused = run.lmo.send("PUT", CONFIG, &run.lmo.key, Some(&config)).await;
        assert_shape(CONFIG, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{}", refused.body);
    }
    assert_eq!(run.lmo.get(CONFIG).await.json(), json!({}));
}

#[tokio::test]
async fn a_configuration_survives_a_restart() {
    let run = Running::start();
    set(&run, json!({"temperature": 0.5})).await;
    let Running { lmo, setup, .. } = run;
    lmo.stop();
    assert_eq!(setup.start().get(CONFIG).await.json(), json!({"temperature": 0.5}));
}
