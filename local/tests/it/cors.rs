//! Pages of other origins: those that the tenant lists may call, no others.

use reqwest::Method;

use crate::{
    errors::{CHAT, QUERY, assert_shape, good},
    support::{Response, Running, json},
};

const PAGE: &str = "https://app.example.com";

async fn allow(run: &Running, origins: &[&str]) {
    let changed =
        run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&json!({"allowed_origins": origins}))).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
}

async fn from_page(run: &Running, path: &str, origin: &str) -> Response {
    let request =
        run.lmo.client.post(format!("{}{path}", run.lmo.base)).bearer_auth(&run.lmo.key).header("origin", origin);
    Response::read(
        request.header("content-type", "application/json").body(good(path).to_string()).send().await.unwrap(),
    )
    .await
}

#[tokio::test]
async fn a_preflight_says_what_a_page_may_send() {
    let run = Running::start();
    let request = run.lmo.client.request(Method::OPTIONS, format!("{}{QUERY}", run.lmo.base)).header("origin", PAGE);
    let request = request.header("access-control-request-method", "POST");
    let answer = request.header("access-control-request-headers", "authorization,content-type").send().await.unwrap();
    let answer = Response::read(answer).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, PAGE));
    assert!(answer.header("access-control-allow-methods").contains("POST"));
    assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type");
    assert_eq!(answer.header("access-control-max-age"), "3600");
}

#[tokio::test]
async fn an_origin_that_the_tenant_lists_may_call_and_read() {
    let run = Running::start();
    allow(&run, &[PAGE]).await;
    for path in [QUERY, CHAT] {
        let answer = from_page(&run, path, PAGE).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, PAGE));
        assert!(answer.header("access-control-expose-headers").contains("X-Request-Id"));
        assert_eq!(answer.header("vary"), "Origin");
    }
}

#[tokio::test]
async fn an_origin_that_the_tenant_does_not_list_is_refused_and_can_not_read_why() {
    let run = Running::start();
    allow(&run, &[PAGE]).await;
    for path in [QUERY, CHAT] {
        for origin in ["https://evil.example", "null", "https://app.example.com.evil.example"] {
            let refused = from_page(&run, path, origin).await;
            assert_shape(path, &refused, 403, "origin_not_allowed");
            assert_eq!(refused.header("access-control-allow-origin"), "");
        }
    }
}

#[tokio::test]
async fn a_tenant_that_lists_no_origin_is_called_by_no_page() {
    let run = Running::start();
    assert_shape(QUERY, &from_page(&run, QUERY, PAGE).await, 403, "origin_not_allowed");
}

#[tokio::test]
async fn a_star_lets_every_origin_call() {
    let run = Running::start();
    allow(&run, &["*"]).await;
    let answer = from_page(&run, QUERY, "https://anything.example").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "https://anything.example"));
}

#[tokio::test]
async fn a_page_can_read_why_its_key_is_refused() {
    let run = Running::start();
    let request =
        run.lmo.client.post(format!("{}{QUERY}", run.lmo.base)).bearer_auth("lmo_wrong").header("origin", PAGE);
    let refused = Response::read(request.send().await.unwrap()).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, PAGE));
}

#[tokio::test]
async fn credentials_are_never_cookies() {
    let run = Running::start();
    allow(&run, &["*"]).await;
    let answer = from_page(&run, QUERY, PAGE).await;
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}
