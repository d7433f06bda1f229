//! What a key may ask, beside what its tenant may.

use crate::{
    errors::{CHAT, QUERY, assert_shape, param},
    support::{Running, Value, chat, json, with_embeddings},
};

async fn key(run: &Running, body: Value) -> String {
    let mut request = json!({"name": "robot"});
    request.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    let made = run.lmo.post("/api/tenant/keys", &request).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["api_key"].as_str().unwrap().to_owned()
}

fn with_tools(tools: &Value) -> Value {
    let mut body = chat("hi", 5);
    body["tools"] = tools.clone();
    body
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}})
}

#[tokio::test]
async fn a_key_asks_its_own_models_and_sees_no_others() {
    let run = Running::start();
    let key = key(&run, json!({"allowed_models": ["fast"]})).await;
    let ask = async |path: &str, body: Value| run.lmo.send("POST", path, &key, Some(&body)).await;
    assert_eq!(ask(CHAT, chat("hi", 5)).await.status, 200);
    for (path, body) in [
        (QUERY, json!({"query": "hi", "model": "standin/plain"})),
        (QUERY, json!({"query": "hi", "fallbacks": ["standin/plain"]})),
        (CHAT, json!({"model": "lmo/echo", "messages": [{"role": "user", "content": "hi"}]})),
    ] {
        let refused = ask(path, body).await;
        assert_shape(path, &refused, 403, "model_not_allowed");
        assert_eq!(param(&refused), "model");
    }
    let messages = json!({"model": "lmo/echo", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]});
    for path in ["/v1/messages", "/v1/messages/count_tokens"] {
        let refused = ask(path, messages.clone()).await;
        assert_eq!((refused.status, &refused.json()["error"]["type"]), (403, &json!("permission_error")));
    }
    let models = run.lmo.send("GET", "/v1/models", &key, None).await.json();
    let names: Vec<_> = models["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["standin/small", "default", "fast"]);
}

#[tokio::test]
async fn of_the_tenants_list_and_the_keys_both_hold() {
    let run = Running::start();
    let key = key(&run, json!({"allowed_models": ["standin/small", "standin/plain"]})).await;
    let config = json!({"allowed_models": ["standin/plain", "lmo/echo"]});
    assert_eq!(run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&config)).await.status, 200);
    for (model, status) in [("standin/plain", 200), ("standin/small", 403), ("lmo/echo", 403)] {
        let body = json!({"query": "hi", "model": model, "max_tokens": 5});
        assert_eq!(run.lmo.send("POST", QUERY, &key, Some(&body)).await.status, status, "{model}");
    }
}

#[tokio::test]
async fn a_key_brings_its_own_tools_and_no_others() {
    let run = Running::start();
    let key = key(&run, json!({"allowed_tools": ["read_*", "search"]})).await;
    let ask = async |body: Value| run.lmo.send("POST", CHAT, &key, Some(&body)).await;
    assert_eq!(ask(chat("hi", 5)).await.status, 200);
    assert_eq!(ask(with_tools(&json!([function("read_file"), function("search")]))).await.status, 200);
    for tools in [
        json!([function("search"), function("delete_file")]),
        json!([function("search"), function("searching")]),
        json!([function("search"), {"type": "custom", "custom": {"name": "shell"}}]),
        json!([function("search"), {"type": "function"}]),
    ] {
        let refused = ask(with_tools(&tools)).await;
        assert_shape(CHAT, &refused, 403, "tool_not_allowed");
        assert_eq!(param(&refused), "tools[1]");
    }
    let mut legacy = chat("hi", 5);
    legacy["functions"] = json!([{"name": "delete_file"}]);
    ask(legacy).await.assert_error(403, "tool_not_allowed");
    let tool = json!({"name": "delete_file", "input_schema": {"type": "object"}});
    let body =
        json!({"model": "default", "max_tokens": 5, "tools": [tool], "messages": [{"role": "user", "content": "hi"}]});
    let refused = run.lmo.send("POST", "/v1/messages", &key, Some(&body)).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &json!("tool_not_allowed")));
    let tool = json!({"type": "function", "name": "delete_file", "parameters": {"type": "object"}});
    let body = json!({"input": "hi", "max_output_tokens": 5, "tools": [tool]});
    run.lmo.send("POST", "/v1/responses", &key, Some(&body)).await.assert_error(403, "tool_not_allowed");
}

#[tokio::test]
async fn a_key_with_an_empty_list_brings_no_tools() {
    let run = Running::start();
    let key = key(&run, json!({"allowed_tools": []})).await;
    assert_eq!(run.lmo.send("POST", CHAT, &key, Some(&chat("hi", 5))).await.status, 200);
    let body = with_tools(&json!([function("a")]));
    run.lmo.send("POST", CHAT, &key, Some(&body)).await.assert_error(403, "tool_not_allowed");
}

#[tokio::test]
async fn a_key_that_may_only_embed_asks_no_model_for_an_answer() {
    let run = Running::with_models(|catalogue| with_embeddings(&catalogue));
    let key = key(&run, json!({"scopes": ["embed"]})).await;
    let (input, question) = (json!({"model": "embed", "input": "hi"}), json!({"query": "hi"}));
    for path in ["/v1/embeddings", "/api/mcp/embed"] {
        assert_eq!(run.lmo.send("POST", path, &key, Some(&input)).await.status, 200);
    }
    run.lmo.send("POST", QUERY, &key, Some(&question)).await.assert_error(403, "forbidden");
    run.lmo.send("POST", CHAT, &key, Some(&chat("hi", 5))).await.assert_error(403, "forbidden");
}
