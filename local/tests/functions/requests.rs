//! HTTP requests as API Gateway and function URLs pass them on, fed to the routers of their functions.

use axum::body::Body;
use http_body_util::BodyExt;
use lambda_http::{Request, request::from_str};
use lmo_shared::{clock::Timestamp, http};
use serde_json::{Value, json};
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;

use crate::support::{Ground, event};

fn request(name: &str) -> Request {
    from_str(&event(name)).unwrap()
}

/// The line of a request, its kind of content, and its body.
fn parts(name: &str) -> (String, String, Value) {
    let request = request(name);
    let kind = request.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let line = format!("{} {}", request.method(), request.uri());
    let body = serde_json::from_slice(request.body()).unwrap_or_default();
    (line, kind.unwrap_or_default(), body)
}

/// The status and the error's code that a function answers with.
async fn answer(name: &str, router: fn(&Ground) -> OpenApiRouter) -> (u16, Value) {
    let ground = Ground::at(Timestamp::parse("2026-11-22T10:00:12Z").unwrap()).await;
    let service = http::serve(router(&ground), ground.platform.clock().clone(), None);
    let request = request(name).map(|body| Body::from(body.to_vec()));
    let response = service.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice::<Value>(&body).unwrap()["code"].clone())
}

#[test]
fn api_gateway_passes_a_query_on() {
    let (line, kind, body) = parts("apigw-query.json");
    assert_eq!(line, "POST https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/api/mcp/query");
    assert_eq!(kind, "application/json");
    assert_eq!(body, json!({ "query": "Say hello", "max_tokens": 20 }));
}

#[test]
fn api_gateway_passes_a_query_string_on() {
    let (line, kind, _) = parts("apigw-tenant-usage.json");
    assert!(
        line.starts_with("GET https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/api/tenant/usage?"),
        "{line}"
    );
    assert!(line.contains("granularity=day") && line.contains("from=2026-11-01"), "{line}");
    assert_eq!(kind, "");
}

#[test]
fn a_function_url_passes_a_stream_request_on() {
    let (line, kind, body) = parts("function-url-stream.json");
    assert_eq!(line, "POST https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws/api/mcp/stream");
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
        lmo_tenant::router(platform, platform.authenticator(), platform.catalogues())
    });
    assert_eq!(answered.await, (401, json!("unauthenticated")));
}
