//! HTTP requests as API Gateway and function URLs pass them on, fed to the routers of their functions.

use axum::{body::Body, extract::Request};
use http_body_util::BodyExt;
use lmo_shared::{clock::Timestamp, function::HttpEvent, http};
use serde_json::{Value, json};
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;

use crate::support::{Ground, event};

fn request(name: &str) -> Request {
    serde_json::from_str::<HttpEvent>(&event(name)).unwrap().into_request().unwrap()
}

async fn text(body: Body) -> Vec<u8> {
    body.collect().await.unwrap().to_bytes().into()
}

/// The line of a request, its kind of content, and its body.
async fn parts(name: &str) -> (String, String, Value) {
    let request = request(name);
    let kind = request.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let line = format!("{} {}", request.method(), request.uri());
    let body = serde_json::from_slice(&text(request.into_body()).await).unwrap_or_default();
    (line, kind.unwrap_or_default(), body)
}

/// The status and the error's code that a function answers with.
async fn answer(name: &str, router: fn(&Ground) -> OpenApiRouter) -> (u16, Value) {
    let ground = Ground::at(Timestamp::parse("2026-11-22T10:00:12Z").unwrap()).await;
    let service = http::serve(router(&ground), ground.platform.clock().clone(), None);
    let response = service.oneshot(request(name)).await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice::<Value>(&text(response.into_body()).await).unwrap()["code"].clone())
}

#[tokio::test]
async fn api_gateway_passes_a_query_on() {
    let (line, kind, body) = parts("apigw-query.json").await;
    assert_eq!(line, "POST /api/mcp/query");
    assert_eq!(kind, "application/json");
    assert_eq!(body, json!({ "query": "Say hello", "max_tokens": 20 }));
}

#[tokio::test]
async fn api_gateway_passes_a_query_string_on() {
    let (line, kind, _) = parts("apigw-tenant-usage.json").await;
    assert_eq!(line, "GET /api/tenant/usage?granularity=day&from=2026-11-01");
    assert_eq!(kind, "");
}

#[tokio::test]
async fn a_function_url_passes_a_stream_request_on() {
    let (line, kind, body) = parts("function-url-stream.json").await;
    assert_eq!(line, "POST /api/mcp/stream");
    assert_eq!(kind, "application/json");
    assert_eq!(body, json!({ "query": "Say hello", "max_tokens": 20 }));
}

// The key in the events is nobody's: whoever refuses it has been reached.

#[tokio::test]
async fn a_query_reaches_its_function() {
    let answered = answer("apigw-query.json", |ground| {
        let platform = &ground.platform;
        let answers = platform.answers(platform.catalogues());
        lmo_query::router(platform.authenticator(), answers, platform.clock().clone())
    });
    assert_eq!(answered.await, (401, json!("unauthenticated")));
}

#[tokio::test]
async fn a_stream_request_reaches_its_function() {
    let answered = answer("function-url-stream.json", |ground| {
        let platform = &ground.platform;
        let answers = platform.answers(platform.catalogues());
        lmo_stream::router(platform.authenticator(), answers, platform.clock().clone())
    });
    assert_eq!(answered.await, (401, json!("unauthenticated")));
}

#[tokio::test]
async fn a_request_for_usage_reaches_its_function() {
    let answered = answer("apigw-tenant-usage.json", |ground| {
        let platform = &ground.platform;
        lmo_tenant::router(platform, platform.authenticator(), platform.catalogues(), ground.mailer())
    });
    assert_eq!(answered.await, (401, json!("unauthenticated")));
}
