//! The model catalogue: what callers see of it, and how a new version takes effect.

use std::time::Duration;

use crate::{
    caller_errors::time_in,
    errors::QUERY,
    support::{Lmo, Running, Value, json, models},
};

async fn ask(lmo: &Lmo) -> Value {
    lmo.post(QUERY, &json!({"query": "[[tokens=5]]", "max_tokens": 10})).await.json()["cost"]["nano_usd"].clone()
}

/// What 4 tokens in and 5 out cost at that price of input, in nano-USD.
fn cost(input_price: u64) -> u64 {
    4 * input_price + 5 * 600
}

#[tokio::test]
async fn models_and_aliases_are_listed_in_openais_shape() {
    let run = Running::start();
    let list = run.lmo.get("/v1/models").await.json();
    let names: Vec<_> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["lmo/echo", "standin/plain", "standin/small", "standin/tiny", "default", "fast"]);
    let model = &list["data"][3];
    assert_eq!((&list["object"], &model["object"]), (&json!("list"), &json!("model")));
    assert_eq!((&model["owned_by"], &model["context_window"]), (&json!("standin"), &json!(64)));
}

#[tokio::test]
async fn what_chats_is_told_from_what_embeds() {
    let run = Running::with_models(|catalogue| {
        format!(
            "{catalogue}[models.\"lmo/hash-embed\"]\nprovider = \"lmo\"\ncontext_window = 1000\n\
             capabilities = [\"embed\"]\nprice = {{ input = 0 }}\n"
        )
    });
    let list = run.lmo.get("/v1/models").await.json();
    let of = |id: &str| {
        let entry = list["data"].as_array().unwrap().iter().find(|entry| entry["id"] == id);
        entry.unwrap_or_else(|| panic!("no {id} in {list:#}"))["capabilities"].clone()
    };
    assert_eq!(of("lmo/hash-embed"), json!(["embed"]));
    assert_eq!(of("standin/plain"), json!(["chat", "stream"]));
    assert_eq!(of("fast"), json!(["chat", "stream", "tools", "json", "images"]));
}

#[tokio::test]
async fn only_models_that_the_tenant_allows_are_listed() {
    let run = Running::start();
    run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&json!({"allowed_models": ["fast"]}))).await;
    let list = run.lmo.get("/v1/models").await.json();
    let names: Vec<_> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["standin/small", "default", "fast"]);
}

#[tokio::test]
async fn nothing_of_the_providers_is_listed() {
    let run = Running::start();
    let list = run.lmo.get("/v1/models").await;
    assert!(!list.body.contains("127.0.0.1") && !list.body.contains("price") && !list.body.contains("upstream"));
}

#[tokio::test]
async fn what_was_used_keeps_the_price_of_its_time() {
    let Running { lmo, setup, standin } = Running::start();
    assert_eq!(ask(&lmo).await, cost(150));
    lmo.usage_of(&lmo.key, 1).await;
    lmo.stop();
    setup.write_models(&models(&standin.base_url(), "1.5"));
    let applied = setup.run(&["models", "apply", "models.toml"]);
    assert!(applied["version"].is_string(), "{applied}");
    let lmo = setup.start();
    assert_eq!(ask(&lmo).await, cost(1_500));
    assert_eq!(lmo.usage_of(&lmo.key, 2).await["cost_nano_usd"], cost(150) + cost(1_500));
    lmo.stop();
    setup.assert_books_agree();
}

#[tokio::test]
async fn a_version_that_takes_effect_later_does_so_by_itself() {
    let Running { lmo, setup, standin } = Running::start();
    lmo.stop();
    std::fs::write(setup.models().with_file_name("later.toml"), models(&standin.base_url(), "1.5")).unwrap();
    let at = time_in(Duration::from_secs(3));
    setup.run(&["models", "apply", "later.toml", "--effective", &at]);
    let lmo = setup.start();
    assert_eq!(ask(&lmo).await, cost(150));
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    assert_eq!(ask(&lmo).await, cost(1_500));
    assert_eq!(lmo.usage_of(&lmo.key, 2).await["cost_nano_usd"], cost(150) + cost(1_500));
}

#[tokio::test]
async fn applying_the_same_again_makes_no_new_version() {
    let Running { lmo, setup, .. } = Running::start();
    lmo.stop();
    let first = setup.run(&["models", "apply"])["version"].clone();
    assert_eq!(setup.run(&["models", "apply"])["version"], first);
}

#[tokio::test]
async fn a_model_that_is_gone_can_still_be_billed() {
    let Running { lmo, setup, standin } = Running::start();
    lmo.post(QUERY, &json!({"query": "[[tokens=5]]", "model": "standin/plain", "max_tokens": 10})).await;
    lmo.usage_of(&lmo.key, 1).await;
    lmo.stop();
    setup.write_models(&models(&standin.base_url(), "0.15").replace("standin/plain", "standin/other"));
    let lmo = setup.start();
    lmo.post(QUERY, &json!({"query": "hi", "model": "standin/plain"})).await.assert_error(404, "model_not_found");
    assert_eq!(lmo.usage_of(&lmo.key, 1).await["cost_nano_usd"], 4 * 1_000 + 5 * 2_000);
}
