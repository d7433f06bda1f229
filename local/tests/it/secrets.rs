//! Whatever is logged, at whatever level: no prompt, no answer, no key.

use std::time::Duration;

use crate::support::{Lmo, Setup, chat, eventually, json, models, standin, streamed, with_embeddings};

const PROMPT: &str = "quokka-prompt-7f3a";
const ANSWER: &str = "numbat-answer-91c2";
const MAIL: &str = "ada.lovelace@private.example";
const FORBIDDEN: &str = "wombat-forbidden-55d1";
const UPSTREAM_KEY: &str = "sk-dingo-upstream-c0ffee";
const EMBEDDED: &str = "bilby-embedded-3e3e";
/// What only an error could quote: a wrong value, an unknown path, a query string, a wrong key.
const STRAY: &str = "possum-stray-1b1b";

/// A platform that logs at this level; asks everything that can be asked, and returns what it printed meanwhile, and the
/// key that it was asked with.
async fn journey(level: Option<&str>) -> (String, String) {
    let standin = standin();
    let mut setup = Setup::new().env("STANDIN_KEY", UPSTREAM_KEY);
    if let Some(level) = level {
        setup = setup.env("RUST_LOG", level);
    }
    let with_key = "kind = \"openai\"\napi_key = { env = \"STANDIN_KEY\" }";
    setup.write_models(&with_embeddings(&models(&standin.base_url(), "0.15").replace("kind = \"openai\"", with_key)));
    let lmo = setup.start();
    eventually(Duration::from_secs(30), "the banner", || lmo.output.lock().unwrap().contains("curl ")).await;
    // What is asked with is a key that no banner shows.
    let wanted = json!({"name": "journey", "scopes": ["query", "usage:read", "tenant:admin"]});
    let made = lmo.post("/api/tenant/keys", &wanted).await.json();
    let key = made["api_key"].as_str().unwrap_or_else(|| panic!("{made:#}")).to_owned();
    let printed = lmo.output.lock().unwrap().len();
    ask_everything(&lmo, &key).await;
    let seen = standin.stats();
    assert!(seen.recent.iter().any(|seen| seen.body.to_string().contains(PROMPT)), "the provider was asked");
    assert!(seen.recent.iter().all(|seen| seen.headers["authorization"].to_str().unwrap().contains(UPSTREAM_KEY)));
    let output = std::sync::Arc::clone(&lmo.output);
    lmo.stop();
    let printed = output.lock().unwrap()[printed..].to_owned();
    (printed, key)
}

async fn ask_everything(lmo: &Lmo, key: &str) {
    let post = async |path: &str, body: &serde_json::Value| lmo.send("POST", path, key, Some(body)).await;
    let ok = format!("{PROMPT} [[say={ANSWER}]]");
    let query = |text: &str| json!({"query": text, "max_tokens": 40});
    let config = json!({
        "session_summary": true,
        "cache": {"automatic": true, "semantic": {"model": "embed", "threshold": 0.95}},
        "guardrails": {"mask": [{"kind": "email"}], "deny": [{"name": "wombat", "pattern": FORBIDDEN, "on": "both"}]}});
    assert_eq!(lmo.send("PUT", "/api/tenant/config", key, Some(&config)).await.status, 200);

    let answer = post("/api/mcp/query", &query(&ok)).await;
    assert!(answer.body.contains(ANSWER), "{}", answer.body);
    post("/api/mcp/stream", &query(&ok)).await;
    lmo.send("GET", &format!("/api/mcp/stream?query={STRAY}"), key, None).await;
    for cached in [0, 0] {
        let mut body = chat(&ok, 40);
        body["temperature"] = cached.into();
        post("/v1/chat/completions", &body).await;
    }
    post("/v1/chat/completions", &streamed(&ok, 40)).await;
    post("/v1/messages", &chat(&ok, 40)).await;
    post("/v1/responses", &json!({"model": "standin/small", "input": ok, "max_output_tokens": 40})).await;
    for _ in 0..2 {
        post("/api/mcp/query", &json!({"query": ok, "max_tokens": 40, "context": {"sessionId": "chat-1"}})).await;
    }
    lmo.send("GET", "/api/tenant/sessions/chat-1", key, None).await;

    post("/api/mcp/query", &query(&format!("{ok} {MAIL}"))).await;
    post("/api/mcp/query", &query(FORBIDDEN)).await.assert_error(400, "guardrail_blocked");
    post("/v1/chat/completions", &streamed(&format!("{PROMPT} [[say=wombat-for]]"), 40)).await;

    for fault in
        ["fail=500", "fail=400 code=bad", "fail=401", "fail=429", "error_in_stream=1", "malformed_after=1", "cut"]
    {
        let text = format!("{ok} [[{fault}]]");
        post("/v1/chat/completions", &chat(&text, 40)).await;
        post("/v1/chat/completions", &streamed(&text, 40)).await;
    }
    post("/v1/embeddings", &json!({"model": "embed", "input": [EMBEDDED]})).await;
    post("/api/mcp/embed", &json!({"inputs": [EMBEDDED]})).await;

    let wrong = format!("lmo_{STRAY}");
    lmo.send("POST", "/api/mcp/query", &wrong, Some(&query(&ok))).await.assert_error(401, "unauthenticated");
    post(&format!("/api/nothing/{STRAY}"), &json!({})).await;
    post("/api/mcp/query", &json!({"query": ok, STRAY: STRAY})).await;
    post("/api/mcp/query", &json!({"query": {"text": STRAY}})).await;
    post("/api/mcp/query", &json!({"query": ok, "model": STRAY})).await;
    lmo.send("GET", &format!("/api/tenant/sessions/{STRAY}"), key, None).await;
    lmo.send("GET", "/api/tenant/usage?granularity=day&group_by=model,key", key, None).await;
}

fn assert_clean(printed: &str, key: &str) {
    let requests = printed.lines().filter(|line| line.contains("trace_id")).count();
    assert!(requests >= 30, "only {requests} requests were logged: {printed}");
    for secret in [PROMPT, ANSWER, MAIL, FORBIDDEN, UPSTREAM_KEY, EMBEDDED, STRAY, key] {
        let told: Vec<_> = printed.lines().filter(|line| line.contains(secret)).collect();
        assert!(told.is_empty(), "`{secret}` was logged: {told:#?}");
    }
}

#[tokio::test]
async fn nothing_of_it_is_logged() {
    let (printed, key) = journey(None).await;
    assert_clean(&printed, &key);
}

#[tokio::test]
async fn nothing_of_it_is_logged_when_everything_is() {
    let (printed, key) = journey(Some("trace")).await;
    assert_clean(&printed, &key);
    let (printed, key) = journey(Some("info,hyper=trace,aws_smithy_runtime=trace,lmo=trace")).await;
    assert_clean(&printed, &key);
}
