//! Who may open a WebSocket.

use reqwest::header;

use crate::support::{Response, Running, Socket, json};

fn refusal(opened: Result<Socket, (u16, serde_json::Value)>) -> (u16, String) {
    let (status, body) = opened.err().expect("it is refused");
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_browser_offers_its_key_as_a_subprotocol_and_is_not_told_it_back() {
    let run = Running::start();
    let protocols = format!("lmo, lmo.key.{}", run.lmo.key);
    let mut socket = Socket::open(&run.lmo, &[("sec-websocket-protocol", &protocols)]).await.unwrap();
    assert_eq!(socket.protocol.as_deref(), Some("lmo"));
    assert_eq!(socket.ask(&json!({"query": "[[tokens=1]]"})).await.last().unwrap()["event"], "done");
}

#[tokio::test]
async fn without_a_good_key_there_is_no_connection() {
    let run = Running::start();
    for headers in [
        vec![],
        vec![("authorization", "Bearer lmo_wrong")],
        vec![("x-api-key", "lmo_wrong")],
        vec![("sec-websocket-protocol", "lmo, lmo.key.lmo_wrong")],
    ] {
        assert_eq!(refusal(Socket::open(&run.lmo, &headers).await), (401, "unauthenticated".to_owned()), "{headers:?}");
    }
}

#[tokio::test]
async fn a_key_in_the_address_opens_nothing() {
    let run = Running::start();
    let address = format!("{}/api/mcp/ws?api_key={}&key={}", run.lmo.base, run.lmo.key, run.lmo.key);
    let upgrade =
        run.lmo.client.get(address).header(header::UPGRADE, "websocket").header(header::CONNECTION, "upgrade");
    assert_eq!(Response::read(upgrade.send().await.unwrap()).await.status, 401);
}

#[tokio::test]
async fn a_key_that_may_not_ask_opens_nothing() {
    let run = Running::start();
    let reports = json!({"name": "reports", "scopes": ["usage:read"]});
    let key = run.lmo.post("/api/tenant/keys", &reports).await.json()["api_key"].as_str().unwrap().to_owned();
    assert_eq!(refusal(Socket::open(&run.lmo, &[("x-api-key", &key)]).await), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn a_page_opens_a_connection_if_the_tenant_lists_its_origin() {
    let run = Running::start();
    let config = json!({"allowed_origins": ["https://app.acme.example"]});
    assert_eq!(run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&config)).await.status, 200);
    let from = async |origin: &str| Socket::open(&run.lmo, &[("x-api-key", &run.lmo.key), ("origin", origin)]).await;
    assert!(from("https://app.acme.example").await.is_ok());
    assert_eq!(refusal(from("https://evil.example").await), (403, "origin_not_allowed".to_owned()));
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_told_so() {
    let run = Running::start();
    run.lmo.get("/api/mcp/ws").await.assert_error(400, "invalid_request");
    run.lmo.post("/api/mcp/ws", &json!({"query": "hi"})).await.assert_error(405, "method_not_allowed");
}

#[tokio::test]
async fn a_key_that_is_revoked_asks_nothing_more_over_a_connection_that_it_opened() {
    let run = Running::start();
    let made = run.lmo.post("/api/tenant/keys", &json!({"name": "robot", "scopes": ["query"]})).await.json();
    let mut socket = Socket::with_key(&run.lmo, made["api_key"].as_str().unwrap()).await;
    assert_eq!(socket.ask(&json!({"query": "[[tokens=1]]"})).await.last().unwrap()["event"], "done");
    let path = format!("/api/tenant/keys/{}", made["id"].as_str().unwrap());
    assert_eq!(run.lmo.send("DELETE", &path, &run.lmo.key, None).await.status, 204);
    let frames = socket.ask(&json!({"query": "[[tokens=1]]"})).await;
    assert_eq!((frames.len(), &frames[0]["data"]["code"]), (1, &json!("unauthenticated")));
}
