//! What all errors have in common: their shape, their request id, and nothing of the inside.

use crate::support::{Response, Running, Value, chat, json};

pub const QUERY: &str = "/api/mcp/query";
pub const CHAT: &str = "/v1/chat/completions";

/// A request that would be answered, in the format of the path.
pub fn good(path: &str) -> Value {
    if path == QUERY { json!({"query": "hi", "max_tokens": 20}) } else { chat("hi", 20) }
}

/// Fails unless the response is that error, whole, in the shape of its path's family.
pub fn assert_shape(path: &str, response: &Response, status: u16, code: &str) {
    response.assert_error(status, code);
    let body = response.json();
    let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    if path.starts_with("/v1/") {
        assert_eq!(names, ["error"]);
        let names: Vec<_> = body["error"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["message", "type", "param", "code"]);
        assert_eq!(response.header("content-type"), "application/json");
    } else {
        let expected = ["type", "title", "status", "detail", "code", "request_id"];
        assert!(names.iter().filter(|name| **name != "param").eq(expected.iter()), "{names:?}");
        assert_eq!((&body["type"], &body["status"]), (&json!("about:blank"), &json!(status)));
        assert_eq!(body["request_id"], response.header("x-request-id"));
        assert_eq!(response.header("content-type"), "application/problem+json");
    }
    for inside in ["lmo_shared", "src/", ".rs", "panicked", "struct ", "enum ", "dynamodb", "embedded", "serde"] {
        assert!(!response.body.contains(inside), "`{inside}` in {}", response.body);
    }
}

/// The parameter that an error names, in either shape.
pub fn param(response: &Response) -> Value {
    let body = response.json();
    body.get("param").or_else(|| body["error"].get("param")).cloned().unwrap_or_default()
}

/// Sends a body as it is, as JSON.
pub async fn post_text(run: &Running, path: &str, text: impl Into<reqwest::Body>) -> Response {
    let request = run.lmo.client.post(format!("{}{path}", run.lmo.base)).bearer_auth(&run.lmo.key);
    Response::read(request.header("content-type", "application/json").body(text).send().await.unwrap()).await
}

#[tokio::test]
async fn the_callers_request_id_is_kept() {
    let run = Running::start();
    for path in [QUERY, CHAT, "/healthz", "/nowhere"] {
        let request = run.lmo.client.post(format!("{}{path}", run.lmo.base)).header("x-request-id", "trace-1/a:b");
        let response = Response::read(request.send().await.unwrap()).await;
        assert_eq!(response.header("x-request-id"), "trace-1/a:b");
    }
}

#[tokio::test]
async fn a_request_id_that_can_not_be_logged_is_replaced() {
    let run = Running::start();
    let long = "x".repeat(129);
    for bad in ["two words", "", "naïve", long.as_str()] {
        let request = run.lmo.client.get(format!("{}/healthz", run.lmo.base)).header("x-request-id", bad.as_bytes());
        let given = Response::read(request.send().await.unwrap()).await;
        assert!(given.header("x-request-id").starts_with("req_"), "{bad}: {}", given.header("x-request-id"));
    }
}

#[tokio::test]
async fn an_unknown_path_is_404_in_its_familys_shape() {
    let run = Running::start();
    for path in ["/api/nowhere", "/v1/nowhere", "/nowhere"] {
        assert_shape(path, &run.lmo.get(path).await, 404, "no_route");
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_and_says_which_are_right() {
    let run = Running::start();
    for (path, allow) in
        [(QUERY, "POST"), (CHAT, "POST"), ("/api/mcp/stream", "GET,HEAD,POST"), ("/healthz", "GET,HEAD")]
    {
        let refused = run.lmo.send("DELETE", path, &run.lmo.key, None).await;
        assert_shape(path, &refused, 405, "method_not_allowed");
        assert_eq!(refused.header("allow"), allow);
    }
}

#[tokio::test]
async fn a_path_that_is_not_text_is_404() {
    let run = Running::start();
    let refused = run.lmo.send("DELETE", "/api/tenant/keys/%FF", &run.lmo.key, None).await;
    assert_shape("/api", &refused, 404, "no_route");
}
