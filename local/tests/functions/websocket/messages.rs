//! Messages that are refused, and whose they are.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use lmo_shared::{auth::ACCESS_TOKEN_LIFE, tenant::KeyScope};
use serde_json::{Value, json};

use super::scene::{CONNECTION, Scene, connect_event, message_event, revoke, tenant};

/// The only frame, which is an error with this code.
fn assert_refused(scene: &Scene, status: u16, code: &str) -> Value {
    let frames = scene.management.frames();
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!((&frames[0]["event"], &frames[0]["data"]["code"]), (&json!("error"), &json!(code)));
    assert_eq!(frames[0]["data"]["status"], status);
    assert!(frames[0]["data"]["request_id"].as_str().unwrap().starts_with("req_"));
    assert_eq!(scene.standin.stats().requests, 0);
    frames[0].clone()
}

async fn refused(body: &str, status: u16, code: &str) -> Value {
    let scene = Scene::new().await;
    scene.open().await;
    scene.function.handle(message_event(CONNECTION, "m1", body)).await.unwrap();
    assert_refused(&scene, status, code)
}

#[tokio::test]
async fn what_is_no_message_gets_an_error_that_says_what_is_wrong() {
    refused("hello", 400, "bad_json").await;
    refused("", 400, "bad_json").await;
    refused("[1]", 400, "invalid_request").await;
    refused(&json!({"query": "x".repeat(128 * 1024)}).to_string(), 413, "body_too_large").await;
}

#[tokio::test]
async fn an_error_has_the_id_of_its_request() {
    for (body, param) in [
        (json!({"id": "7", "type": "shout"}), "type"),
        (json!({"id": "7"}), "query"),
        (json!({"id": "7", "query": "hi", "temprature": 1}), "temprature"),
        (json!({"id": "7", "query": "hi", "model": "nobody"}), "model"),
    ] {
        let (status, code) = if param == "model" { (404, "model_not_found") } else { (400, "invalid_request") };
        let frame = refused(&body.to_string(), status, code).await;
        assert_eq!((&frame["id"], &frame["data"]["param"]), (&json!("7"), &json!(param)));
    }
}

#[tokio::test]
async fn a_revoked_key_asks_nothing_more() {
    let scene = Scene::new().await;
    scene.open().await;
    revoke(&scene.ground, scene.tenant, scene.key.id).await;
    scene.say("m1", &json!({"query": "hi"})).await;
    assert_refused(&scene, 401, "unauthenticated");
}

#[tokio::test]
async fn a_connection_that_a_token_opened_asks_nothing_more_once_the_token_has_expired() {
    let scene = Scene::new().await;
    let platform = &scene.ground.platform;
    let token = platform.tokens().key(scene.key.id, scene.tenant, KeyScope::all()).await.unwrap();
    let opened = scene.connect(json!({"Authorization": format!("Bearer {token}")})).await;
    assert_eq!(opened.status_code, 200, "{opened:?}");
    platform.clock().advance(ACCESS_TOKEN_LIFE.checked_sub(Duration::from_secs(1)).unwrap());
    scene.say("m1", &json!({"query": "hi"})).await;
    let frames = scene.management.frames();
    assert_eq!(frames.last().unwrap()["event"], "done", "{frames:?}");
    platform.clock().advance(Duration::from_secs(1));
    scene.say("m2", &json!({"query": "hi"})).await;
    let refused = scene.management.frames().pop().unwrap();
    assert_eq!((&refused["event"], &refused["data"]["code"]), (&json!("error"), &json!("unauthenticated")));
    assert!(refused["data"]["detail"].as_str().unwrap().contains("connect again"), "{refused}");
    assert_eq!(scene.standin.stats().requests, 1);
    // The key itself never expires.
    scene.open().await;
    scene.say("m3", &json!({"query": "and again"})).await;
    assert_eq!(scene.standin.stats().requests, 2);
}

#[tokio::test]
async fn a_page_whose_origin_is_no_longer_listed_asks_nothing_more() {
    let scene = Scene::new().await;
    scene.put_config(json!({"allowed_origins": ["https://app.acme.example"]})).await;
    let headers = json!({"x-api-key": scene.key.text, "Origin": "https://app.acme.example"});
    assert_eq!(scene.connect(headers).await.status_code, 200);
    scene.put_config(json!({})).await;
    scene.say("m1", &json!({"query": "hi"})).await;
    assert_refused(&scene, 403, "origin_not_allowed");
}

#[tokio::test]
async fn a_connection_whose_address_is_no_longer_listed_asks_nothing_more() {
    let scene = Scene::new().await;
    scene.open().await;
    scene.list_addresses(Some("198.51.100.0/24")).await;
    scene.say("m1", &json!({"query": "hi"})).await;
    assert_refused(&scene, 403, "address_not_allowed");
}

#[tokio::test]
async fn a_connection_that_nobody_opened_asks_nothing() {
    let scene = Scene::new().await;
    scene.say("m1", &json!({"query": "hi"})).await;
    assert_refused(&scene, 401, "unauthenticated");
}

#[tokio::test]
async fn an_expired_connection_asks_nothing_though_it_is_still_in_the_table() {
    let scene = Scene::new().await;
    scene.open().await;
    scene.ground.platform.clock().advance(Duration::from_mins(125));
    scene.say("m1", &json!({"query": "hi"})).await;
    assert_eq!(scene.items().await.len(), 2);
    assert_refused(&scene, 401, "unauthenticated");
}

#[tokio::test]
async fn a_message_is_charged_to_whoever_opened_its_connection() {
    let scene = Scene::new().await;
    scene.open().await;
    let (other, key) = tenant(&scene.ground).await;
    let opened = connect_event("other=", json!({"x-api-key": key.text}));
    assert_eq!(scene.function.handle(opened).await.unwrap().status_code, 200);
    // Whatever a message says of its sender is of no use.
    let body = json!({"query": "[[tokens=3]]", "id": scene.tenant.to_string(), "cache": "no-store"});
    scene.function.handle(message_event("other=", "m1", &body.to_string())).await.unwrap();
    let (own, others) = (scene.ledger(scene.tenant).await, scene.ledger(other).await);
    assert_eq!((own.len(), others.len()), (0, 1));
    assert_eq!(others[0]["key"], key.id.to_string());
    assert!(scene.management.calls().iter().all(|call| call.path.ends_with("other%3D")));
}

#[tokio::test]
async fn an_error_of_the_pipeline_is_told_like_over_http() {
    let scene = Scene::new().await;
    scene.open().await;
    scene.put_config(json!({"allowed_models": []})).await;
    scene.say("m1", &json!({"query": "hi"})).await;
    assert_refused(&scene, 403, "model_not_allowed");
}

#[tokio::test]
async fn a_table_that_is_out_of_reach_is_told() {
    let scene = Scene::new().await;
    scene.open().await;
    *scene.ground.cut.lock().unwrap() = Some("CONN#".to_owned());
    scene.say("m1", &json!({"query": "hi"})).await;
    let frame = assert_refused(&scene, 503, "unavailable");
    assert_eq!((&frame["data"]["retryable"], &frame["data"]["retry_after"]), (&json!(true), &json!(1)));
}

#[tokio::test]
async fn a_ping_needs_nothing_of_the_table() {
    let scene = Scene::new().await;
    *scene.ground.cut.lock().unwrap() = Some(String::new());
    scene.say("m1", &json!({"type": "ping", "id": "p"})).await;
    assert_eq!(scene.management.frames(), [json!({"id": "p", "event": "pong"})]);
}

#[tokio::test]
async fn a_message_that_is_handed_over_without_waiting_is_the_same_message() {
    let scene = Scene::new().await;
    scene.open().await;
    // What the deployment's mapping template makes of it.
    let context = json!({
        "eventType": "MESSAGE", "routeKey": "$default", "stage": "live", "requestId": "UbQwYE1eliAEM8w=",
        "messageId": "m1", "connectionId": CONNECTION, "connectedAt": 1_795_341_612_345_u64,
        "requestTimeEpoch": 1_795_341_615_120_u64
    });
    let body = STANDARD.encode(json!({"id": "1", "query": "[[say=grün]]"}).to_string());
    let event = json!({"requestContext": context, "body": body, "isBase64Encoded": true});
    scene.function.handle(serde_json::from_value(event).unwrap()).await.unwrap();
    assert_eq!(scene.management.frames()[0]["data"]["text"], "grün");
}
