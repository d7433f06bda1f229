//! Requests that come past whatever stands in front of the functions, where it is the only way in.

use crate::{
    errors::{CHAT, QUERY, good},
    support::{Response, Running},
};

const TOKEN: &str = "a-token-of-this-deployment";

fn start() -> Running {
    Running::with(|catalogue| catalogue, |setup| setup.env("LMO_ORIGIN_TOKEN", TOKEN))
}

async fn ask(run: &Running, path: &str, token: Option<&str>) -> Response {
    let mut request = run.lmo.client.post(format!("{}{path}", run.lmo.base)).bearer_auth(&run.lmo.key);
    if let Some(token) = token {
        request = request.header("x-lmo-origin", token);
    }
    let request = request.header("content-type", "application/json").body(good(path).to_string());
    Response::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_request_without_the_origin_token_is_refused_before_its_key_is_looked_at() {
    let run = start();
    for path in [QUERY, CHAT] {
        for token in [None, Some(""), Some("a-token-of-another-deployment")] {
            let answer = ask(&run, path, token).await;
            assert_eq!(answer.status, 403, "{path} {token:?}: {}", answer.body);
            assert!(!answer.body.contains(TOKEN));
        }
        assert_eq!(ask(&run, path, Some(TOKEN)).await.status, 200, "{path}");
    }
    assert_eq!(run.standin.stats().requests, 2);
}

#[tokio::test]
async fn health_needs_no_origin_token() {
    let run = start();
    assert_eq!(run.lmo.get("/healthz").await.status, 200);
    assert_eq!(run.lmo.get("/openapi.json").await.status, 403);
}
