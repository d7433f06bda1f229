//! For how long a tenant has anything of its requests and answers kept: with `retention_days` 0 for no time at all.

use std::{collections::BTreeSet, io::Read, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use flate2::read::ZlibDecoder;

use crate::{
    engines::Engines,
    errors::assert_shape,
    support::{Lmo, Response, Running, Setup, Socket, Value, json, with_embeddings},
};

const CONFIG: &str = "/api/tenant/config";
const QUERY: &str = "/api/mcp/query";
/// Words of questions and of answers.
const WORDS: [&str; 2] = ["zanzibar", "xylophone"];

async fn set(lmo: &Lmo, config: Value) {
    let changed = lmo.send("PUT", CONFIG, &lmo.key, Some(&config)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
}

/// The operation of each request that can have something of its tenant's kept, and its body.
fn requests() -> Vec<(&'static str, Value)> {
    let text = format!("{} [[say={}]]", WORDS[0], WORDS[1]);
    let messages = json!([{"role": "user", "content": text}]);
    vec![
        ("POST /api/mcp/query", json!({"query": text, "temperature": 0, "max_tokens": 50})),
        ("POST /api/mcp/stream", json!({"query": text, "temperature": 0, "max_tokens": 51})),
        ("POST /v1/chat/completions", json!({"messages": messages, "temperature": 0, "max_tokens": 52})),
        ("POST /v1/messages", json!({"model": "default", "messages": messages, "temperature": 0, "max_tokens": 53})),
        ("POST /v1/messages/count_tokens", json!({"model": "default", "messages": messages})),
        ("POST /v1/responses", json!({"input": text, "temperature": 0, "max_output_tokens": 54})),
        ("POST /v1/embeddings", json!({"model": "embed", "input": text})),
        ("POST /api/mcp/embed", json!({"input": text})),
    ]
}

/// Asks by every route.
async fn journey(lmo: &Lmo) {
    let mut asked = BTreeSet::from(["GET /api/mcp/stream", "GET /api/mcp/ws", "GET /v1/models"]);
    for (route, body) in requests() {
        let (method, path) = route.split_once(' ').unwrap();
        for cache in ["default", "refresh"] {
            let request = lmo.client.request(method.parse().unwrap(), format!("{}{path}", lmo.base));
            let request = request.bearer_auth(&lmo.key).header("x-lmo-cache", cache);
            let request = request.header("content-type", "application/json").body(body.to_string());
            let answer = Response::read(request.send().await.unwrap()).await;
            assert_eq!(answer.status, 200, "{route}: {}", answer.body);
        }
        asked.insert(route);
    }
    let text = format!("{}%20[[say={}]]", WORDS[0], WORDS[1]);
    assert_eq!(lmo.get(&format!("/api/mcp/stream?query={text}&temperature=0&max_tokens=55")).await.status, 200);
    let mut message = requests().remove(0).1;
    message["cache"] = "default".into();
    assert_eq!(Socket::with_key(lmo, &lmo.key).await.ask(&message).await.last().unwrap()["event"], "done");
    let document = lmo.get("/openapi.json").await.json();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let tag = operation["tags"][0].as_str().unwrap();
            let route = format!("{} {path}", method.to_uppercase());
            assert!(
                !["query", "openai", "anthropic"].contains(&tag) || asked.contains(&*route),
                "{route} is not asked"
            );
        }
    }
}

/// All texts of a value, those that are deflated too.
fn texts(value: &AttributeValue, found: &mut Vec<String>) {
    match value {
        AttributeValue::S(text) => found.push(text.clone()),
        AttributeValue::B(bytes) => {
            let mut inflated = Vec::new();
            let _ = ZlibDecoder::new(bytes.as_ref()).read_to_end(&mut inflated);
            found.extend([bytes.as_ref(), &inflated].map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
        }
        AttributeValue::M(fields) => fields.values().for_each(|value| texts(value, found)),
        AttributeValue::L(items) => items.iter().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// The partitions of the items that have one of the words, or something that is made of them.
async fn told(setup: &Setup) -> BTreeSet<String> {
    let engines = Engines::start(setup, &[]);
    let client = aws_sdk_dynamodb::Client::new(&engines.sdk());
    let mut pages = client.scan().table_name("lmo").into_paginator().items().send();
    let (mut told, mut items) = (BTreeSet::new(), 0);
    while let Some(item) = pages.next().await {
        let item = item.unwrap();
        items += 1;
        let mut found = Vec::new();
        for value in item.values() {
            texts(value, &mut found);
        }
        let partition = item["pk"].as_s().unwrap();
        let derived = ["#CACHE#", "#NEAR#", "#SESSION#"].iter().any(|kind| partition.contains(kind));
        if derived || found.iter().any(|text| WORDS.iter().any(|word| text.contains(word))) {
            told.insert(partition.split('#').nth(2).unwrap_or_default().to_owned());
        }
    }
    assert!(items > 10, "there are {items} items");
    told
}

/// Everything that could be kept is switched on.
fn everything(days: u64) -> Value {
    json!({"retention_days": days, "cache": {"semantic": {"model": "embed", "threshold": 0.95}}, "session_summary": true})
}

#[tokio::test]
async fn with_a_retention_of_nothing_nothing_but_counts_is_in_the_table() {
    let run = Running::with_models(|catalogue| with_embeddings(&catalogue));
    set(&run.lmo, everything(0)).await;
    journey(&run.lmo).await;
    run.lmo.stop();
    assert_eq!(told(&run.setup).await, BTreeSet::new());
    run.setup.assert_books_agree();
    // What is looked for is found where it may be kept.
    let lmo = run.setup.start();
    set(&lmo, everything(1)).await;
    journey(&lmo).await;
    let turn = json!({"query": WORDS[0], "context": {"sessionId": "s"}});
    assert_eq!(lmo.post(QUERY, &turn).await.status, 200);
    lmo.stop();
    assert_eq!(told(&run.setup).await, BTreeSet::from(["CACHE", "NEAR", "SESSION"].map(str::to_owned)));
}

#[tokio::test]
async fn without_anything_kept_there_are_no_sessions_and_no_answers_in_the_cache() {
    let run = Running::start();
    let turn = json!({"query": "one", "max_tokens": 20, "context": {"sessionId": "s"}});
    assert_eq!(run.lmo.post(QUERY, &turn).await.status, 200);
    let question = json!({"query": "[[tokens=3]]", "temperature": 0, "max_tokens": 20});
    assert_eq!(run.lmo.post(QUERY, &question).await.header("x-lmo-cache"), "miss");
    // It is written behind the answer.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(run.lmo.post(QUERY, &question).await.header("x-lmo-cache"), "hit");
    set(&run.lmo, json!({"retention_days": 0})).await;
    let refused = run.lmo.post(QUERY, &turn).await;
    assert_shape(QUERY, &refused, 400, "nothing_kept");
    assert_eq!(refused.json()["param"], "context.sessionId");
    let request = run.lmo.client.post(format!("{}/v1/chat/completions", run.lmo.base)).bearer_auth(&run.lmo.key);
    let request = request.header("x-lmo-session", "s").header("content-type", "application/json");
    let refused = Response::read(request.body(crate::support::chat("hi", 20).to_string()).send().await.unwrap()).await;
    assert_shape("/v1/chat/completions", &refused, 400, "nothing_kept");
    run.lmo.get("/api/tenant/sessions/s").await.assert_error(404, "not_found");
    assert_eq!(run.lmo.post(QUERY, &question).await.header("x-lmo-cache"), "bypass");
    let mut only = question.clone();
    only["cache"] = "only-if-cached".into();
    run.lmo.post(QUERY, &only).await.assert_error(404, "not_cached");
    // What was kept before may be deleted all the same.
    assert_eq!(run.lmo.send("DELETE", "/api/tenant/sessions/s", &run.lmo.key, None).await.status, 204);
}

#[tokio::test]
async fn a_retention_of_more_days_than_it_may_have_is_refused() {
    let run = Running::start();
    for (days, status) in [(json!(3650), 200), (json!(3651), 400), (json!(-1), 400), (json!("7"), 400)] {
        let answer = run.lmo.send("PUT", CONFIG, &run.lmo.key, Some(&json!({"retention_days": days}))).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}
