//! A tenant's prompt templates.

use crate::{
    errors::{QUERY, assert_shape, param},
    support::{Response, Running, Socket, Value, json},
};

const PATH: &str = "/api/tenant/templates/translate";

fn template() -> Value {
    json!({
        "messages": [
            {"role": "system", "content": "You speak {{language}}."},
            {"role": "user", "content": "Say in {{ language }}: {{text}}"},
        ],
        "model": "standin/plain", "temperature": 0.5, "max_tokens": 30,
    })
}

async fn put(run: &Running, body: &Value) -> Response {
    run.lmo.send("PUT", PATH, &run.lmo.key, Some(body)).await
}

async fn with_template() -> Running {
    let run = Running::start();
    let made = put(&run, &template()).await;
    assert_eq!((made.status, made.header("etag")), (200, "\"1\""), "{}", made.body);
    run
}

fn using(variables: &Value) -> Value {
    json!({"template": {"name": "translate", "variables": variables}})
}

/// Roles and texts of what the provider got last.
fn heard(run: &Running) -> Value {
    let messages = run.upstream_body()["messages"].clone();
    messages.as_array().unwrap().iter().map(|message| json!([message["role"], message["content"]])).collect()
}

#[tokio::test]
async fn a_template_is_filled_in_on_every_way_to_ask() {
    let run = with_template().await;
    let body = using(&json!({"language": "Latin", "text": "{{language}} $1"}));
    let expected = json!([["system", "You speak Latin."], ["user", "Say in Latin: {{language}} $1"]]);
    let answer = run.lmo.post(QUERY, &body).await;
    assert_eq!((answer.status, &answer.json()["model"]), (200, &json!("standin/plain")), "{}", answer.body);
    assert_eq!(heard(&run), expected);
    let seen = run.upstream_body();
    assert_eq!((&seen["temperature"], &seen["max_tokens"]), (&json!(0.5), &json!(30)));
    let streamed = run.lmo.post("/api/mcp/stream", &body).await;
    assert_eq!(streamed.events().last().unwrap()["event"], "done", "{}", streamed.body);
    let frames = Socket::with_key(&run.lmo, &run.lmo.key).await.ask(&body).await;
    assert_eq!(frames.last().unwrap()["event"], "done");
    assert_eq!((run.standin.stats().requests, heard(&run)), (3, expected));
}

#[tokio::test]
async fn what_a_request_says_itself_comes_before_the_templates_parameters() {
    let run = with_template().await;
    let mut body = using(&json!({"language": "Latin", "text": "hi"}));
    body.as_object_mut().unwrap().extend(
        json!({"model": "standin/small", "temperature": 0, "max_tokens": 7, "query": "and more",
            "context": {"previousMessages": [{"role": "user", "content": "before"}]}})
        .as_object()
        .unwrap()
        .clone(),
    );
    assert_eq!(run.lmo.post(QUERY, &body).await.json()["model"], "standin/small");
    let seen = run.upstream_body();
    assert_eq!((seen["temperature"].as_f64(), &seen["max_tokens"]), (Some(0.0), &json!(7)));
    let expected =
        json!([["system", "You speak Latin."], ["user", "before"], ["user", "Say in Latin: hi"], ["user", "and more"]]);
    assert_eq!(heard(&run), expected);
}

#[tokio::test]
async fn a_variable_that_is_missing_or_unknown_is_named() {
    let run = with_template().await;
    for (variables, named) in [
        (json!({"language": "Latin"}), "template.variables.text"),
        (json!({"language": "Latin", "text": "hi", "tone": "dry"}), "template.variables.tone"),
        (json!({"language": "Latin", "text": 5}), "template.variables.text"),
    ] {
        let refused = run.lmo.post(QUERY, &using(&variables)).await;
        assert_shape(QUERY, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{}", refused.body);
    }
    run.lmo.post(QUERY, &json!({"template": {"name": "other"}})).await.assert_error(404, "not_found");
    run.lmo.post(QUERY, &json!({"template": {"name": "a/b"}})).await.assert_error(400, "invalid_request");
    assert_eq!(run.standin.stats().requests, 0);
}

#[tokio::test]
async fn a_version_never_changes() {
    let run = with_template().await;
    let second = json!({"messages": [{"role": "user", "content": "{{text}}?"}]});
    assert_eq!(put(&run, &second).await.json()["version"], 2);
    let ask = async |version: Value| {
        let variables =
            if version == json!(1) { json!({"language": "Latin", "text": "hi"}) } else { json!({"text": "hi"}) };
        let body = json!({"template": {"name": "translate", "version": version, "variables": variables}});
        run.lmo.post(QUERY, &body).await
    };
    assert_eq!(ask(json!(null)).await.status, 200);
    assert_eq!(heard(&run), json!([["user", "hi?"]]));
    assert_eq!(ask(json!(1)).await.status, 200);
    assert_eq!(heard(&run)[1], json!(["user", "Say in Latin: hi"]));
    for version in [0, 3] {
        ask(json!(version)).await.assert_error(404, "not_found");
    }
    let old = run.lmo.get(&format!("{PATH}?version=1")).await;
    assert_eq!((&old.json()["messages"], old.header("etag")), (&template()["messages"], "\"1\""));
    assert_eq!(old.json()["variables"], json!(["language", "text"]));
    assert_eq!(run.lmo.get(PATH).await.json()["messages"], second["messages"]);
}

#[tokio::test]
async fn a_template_that_was_deleted_leaves_no_version_behind() {
    let run = with_template().await;
    assert_eq!(run.lmo.send("DELETE", PATH, &run.lmo.key, None).await.status, 204);
    run.lmo.send("DELETE", PATH, &run.lmo.key, None).await.assert_error(404, "not_found");
    run.lmo.get(PATH).await.assert_error(404, "not_found");
    let other = json!({"messages": [{"role": "user", "content": "new"}]});
    assert_eq!(put(&run, &other).await.json()["version"], 1);
    assert_eq!(put(&run, &template()).await.json()["version"], 2);
    assert_eq!(run.lmo.get(&format!("{PATH}?version=1")).await.json()["messages"], other["messages"]);
}

#[tokio::test]
async fn the_version_that_was_read_is_the_one_that_is_replaced() {
    let run = with_template().await;
    let send = async |method: &str, tag: &str| {
        let request = run.lmo.client.request(method.parse().unwrap(), format!("{}{PATH}", run.lmo.base));
        let request =
            request.bearer_auth(&run.lmo.key).header("if-match", tag).header("content-type", "application/json");
        Response::read(request.body(template().to_string()).send().await.unwrap()).await
    };
    assert_eq!(send("PUT", "\"1\"").await.header("etag"), "\"2\"");
    send("PUT", "\"1\"").await.assert_error(412, "precondition_failed");
    send("DELETE", "\"1\"").await.assert_error(412, "precondition_failed");
    assert_eq!(send("DELETE", "\"2\"").await.status, 204);
}

#[tokio::test]
async fn templates_are_listed_by_name_in_pages() {
    let run = Running::start();
    let mut names: Vec<_> = ["c", "a", "b"].map(str::to_owned).into();
    for name in &names {
        let path = format!("/api/tenant/templates/{name}");
        assert_eq!(run.lmo.send("PUT", &path, &run.lmo.key, Some(&template())).await.status, 200);
    }
    names.sort();
    let mut found = Vec::new();
    let mut path = "/api/tenant/templates?limit=2".to_owned();
    loop {
        let page = run.lmo.get(&path).await.json();
        found.extend(
            page["templates"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/tenant/templates?limit=2&cursor={cursor}");
    }
    assert_eq!(found, names);
    run.lmo.get("/api/tenant/templates?limit=0").await.assert_error(400, "invalid_request");
    run.lmo.get("/api/tenant/templates?cursor=x").await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn what_is_wrong_with_a_template_is_named() {
    let run = Running::start();
    let message = |content: &str| json!([{"role": "user", "content": content}]);
    for (body, named) in [
        (json!({"messages": []}), "messages"),
        (json!({}), "messages"),
        (json!({"messages": message("{{")}), "messages[0].content"),
        (json!({"messages": message("{{1 + 1}}")}), "messages[0].content"),
        (json!({"messages": message(&"x".repeat(100_001))}), "messages[0].content"),
        (json!({"messages": [{"role": "tool", "content": "a"}]}), "messages[0].role"),
        (json!({"messages": message("a"), "model": "gpt-99"}), "model"),
        (json!({"messages": message("a"), "temperature": 3}), "temperature"),
        (json!({"messages": message("a"), "max_tokens": 0}), "max_tokens"),
        (json!({"messages": message("a"), "colour": "red"}), "colour"),
    ] {
        let refused = put(&run, &body).await;
        assert_shape(PATH, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{}", refused.body);
    }
    let bad = run.lmo.send("PUT", "/api/tenant/templates/a%20b", &run.lmo.key, Some(&template())).await;
    assert_eq!((bad.status, param(&bad)), (400, json!("name")));
    run.lmo.get(PATH).await.assert_error(404, "not_found");
}

#[tokio::test]
async fn guardrails_cache_and_sessions_see_the_template_filled_in() {
    let run = with_template().await;
    let config = json!({"guardrails": {"deny": [{"name": "codename", "pattern": "Latin: nightfall", "on": "input"}]}});
    assert_eq!(run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&config)).await.status, 200);
    let denied = using(&json!({"language": "Latin", "text": "nightfall"}));
    run.lmo.post(QUERY, &denied).await.assert_error(400, "guardrail_blocked");
    let mut body = using(&json!({"language": "Latin", "text": "hi"}));
    body["cache"] = "default".into();
    assert_eq!(run.lmo.post(QUERY, &body).await.header("x-lmo-cache"), "miss");
    let mut hit = String::new();
    for _ in 0..200 {
        hit = run.lmo.post(QUERY, &body).await.header("x-lmo-cache").to_owned();
        if hit == "hit" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(hit, "hit");
    let mut turn = using(&json!({"language": "Latin", "text": "one"}));
    turn["context"] = json!({"sessionId": "s"});
    assert_eq!(run.lmo.post(QUERY, &turn).await.status, 200);
    let next = json!({"query": "two", "model": "standin/plain", "context": {"sessionId": "s"}});
    assert_eq!(run.lmo.post(QUERY, &next).await.status, 200);
    assert_eq!(heard(&run)[0], json!(["user", "Say in Latin: one"]));
}

#[tokio::test]
async fn changes_of_templates_are_in_the_audit_log() {
    let run = with_template().await;
    run.lmo.send("DELETE", PATH, &run.lmo.key, None).await;
    let entries = run.lmo.get("/api/tenant/audit").await.json()["entries"].clone();
    let of = |action: &str| entries.as_array().unwrap().iter().find(|entry| entry["action"] == action).unwrap().clone();
    let expected = json!({"version": 1, "model": "standin/plain", "variables": ["language", "text"]});
    assert_eq!((&of("template.put")["after"], &of("template.delete")["before"]), (&expected, &expected));
    assert_eq!(of("template.put")["target"], "translate");
}
