//! API keys that a tenant manages by itself.

use std::time::Duration;

use crate::{
    caller_errors::time_in,
    errors::{CHAT, QUERY, assert_shape, good, param},
    support::{Response, Running, Value, json},
};

const KEYS: &str = "/api/tenant/keys";

async fn create(run: &Running, request: Value) -> Value {
    let made = run.lmo.post(KEYS, &request).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()
}

async fn with(run: &Running, key: &Value, method: &str, path: &str, body: Option<&Value>) -> Response {
    run.lmo.send(method, path, key["api_key"].as_str().unwrap(), body).await
}

#[tokio::test]
async fn a_new_key_is_as_it_was_asked_for() {
    let run = Running::start();
    let expires = time_in(Duration::from_hours(1));
    let limits = json!({"requests_per_minute": 5, "monthly_tokens": 1000});
    let asked = json!({"name": " robot ", "scopes": ["query"], "limits": limits, "expires_at": expires});
    let made = create(&run, asked).await;
    assert_eq!((&made["name"], &made["scopes"], &made["limits"]), (&json!("robot"), &json!(["query"]), &limits));
    assert_eq!(made["expires_at"], expires);
    assert!(made["id"].as_str().unwrap().starts_with("key_") && made["revoked_at"].is_null());
}

#[tokio::test]
async fn a_key_that_asks_for_no_scope_may_query_and_read_usage() {
    let run = Running::start();
    assert_eq!(create(&run, json!({"name": "robot"})).await["scopes"], json!(["query", "embed", "usage:read"]));
}

#[tokio::test]
async fn a_new_key_works_at_once() {
    let run = Running::start();
    let key = create(&run, json!({"name": "robot"})).await;
    assert_eq!(with(&run, &key, "POST", QUERY, Some(&good(QUERY))).await.status, 200);
}

#[tokio::test]
async fn keys_are_listed_oldest_first_and_without_secrets() {
    let run = Running::start();
    let (first, second) = (create(&run, json!({"name": "one"})).await, create(&run, json!({"name": "two"})).await);
    let list = run.lmo.get(KEYS).await;
    let keys = list.json()["keys"].clone();
    let names: Vec<_> = keys.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["first", "one", "two"]);
    for key in [&run.lmo.key, first["api_key"].as_str().unwrap(), second["api_key"].as_str().unwrap()] {
        let secret = &key[57..109];
        assert!(!list.body.contains(secret) && !list.body.contains("hash"));
    }
}

#[tokio::test]
async fn a_revoked_key_stays_in_the_list_with_its_time() {
    let run = Running::start();
    let key = create(&run, json!({"name": "robot"})).await;
    let path = format!("{KEYS}/{}", key["id"].as_str().unwrap());
    assert_eq!(run.lmo.send("DELETE", &path, &run.lmo.key, None).await.status, 204);
    let at = run.lmo.get(KEYS).await.json()["keys"][1]["revoked_at"].clone();
    assert!(at.is_string());
    // Revoking it again changes nothing.
    assert_eq!(run.lmo.send("DELETE", &path, &run.lmo.key, None).await.status, 204);
    assert_eq!(run.lmo.get(KEYS).await.json()["keys"][1]["revoked_at"], at);
}

#[tokio::test]
async fn a_key_that_does_not_exist_can_not_be_revoked() {
    let run = Running::start();
    for id in ["key_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense"] {
        let refused = run.lmo.send("DELETE", &format!("{KEYS}/{id}"), &run.lmo.key, None).await;
        assert_shape(KEYS, &refused, 404, "not_found");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_key_request_is_named() {
    let run = Running::start();
    for (request, named) in [
        (json!({}), "name"),
        (json!({"name": "  "}), "name"),
        (json!({"name": "x".repeat(101)}), "name"),
        (json!({"name": "a", "scopes": []}), "scopes"),
        (json!({"name": "a", "scopes": ["query", "everything"]}), "scopes[1]"),
        (json!({"name": "a", "expires_at": "2020-01-01T00:00:00Z"}), "expires_at"),
        (json!({"name": "a", "expires_at": "soon"}), "expires_at"),
        (json!({"name": "a", "limits": {"requests_per_minute": -1}}), "limits.requests_per_minute"),
        (json!({"name": "a", "limits": {"requests": 1}}), "limits.requests"),
    ] {
        let refused = run.lmo.post(KEYS, &request).await;
        assert_shape(KEYS, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{}", refused.body);
    }
    assert_eq!(run.lmo.get(KEYS).await.json()["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_largest_limit_there_is_does_no_harm() {
    let run = Running::start();
    let most = u64::MAX;
    let limits = json!({"requests_per_minute": most, "tokens_per_minute": most, "monthly_tokens": most, "monthly_nano_usd": most});
    let key = create(&run, json!({"name": "robot", "limits": limits})).await;
    let answer = with(&run, &key, "POST", QUERY, Some(&good(QUERY))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn a_query_key_manages_nothing_and_reads_no_usage() {
    let run = Running::start();
    let key = create(&run, json!({"name": "robot", "scopes": ["query"]})).await;
    let id = key["id"].as_str().unwrap();
    for (method, path) in [
        ("GET", "/api/tenant/config"),
        ("GET", KEYS),
        ("DELETE", format!("{KEYS}/{id}").as_str()),
        ("GET", "/api/tenant/usage"),
    ] {
        assert_shape(path, &with(&run, &key, method, path, None).await, 403, "forbidden");
    }
    assert_shape(KEYS, &with(&run, &key, "PUT", "/api/tenant/config", Some(&json!({}))).await, 403, "forbidden");
    assert_shape(KEYS, &with(&run, &key, "POST", KEYS, Some(&json!({"name": "a"}))).await, 403, "forbidden");
}

#[tokio::test]
async fn a_usage_key_asks_no_model() {
    let run = Running::start();
    let key = create(&run, json!({"name": "robot", "scopes": ["usage:read"]})).await;
    for path in [QUERY, CHAT] {
        assert_shape(path, &with(&run, &key, "POST", path, Some(&good(path))).await, 403, "forbidden");
    }
    assert_eq!(with(&run, &key, "GET", "/api/tenant/usage", None).await.status, 200);
    assert_eq!(run.standin.stats().requests, 0);
}
