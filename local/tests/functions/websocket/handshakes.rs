//! Who may open a connection, and what is kept of it.

use std::{collections::BTreeSet, time::Duration};

use lmo_shared::tenant::KeyScope;
use serde_json::{Value, json};

use super::scene::{CONNECTION, Scene, connect_event, disconnect_event, key};
use crate::support::event;

fn code(answer: &aws_lambda_events::event::apigw::ApiGatewayProxyResponse) -> (i64, Value) {
    let body = serde_json::to_value(answer).unwrap()["body"].as_str().unwrap_or("{}").to_owned();
    (answer.status_code, serde_json::from_str::<Value>(&body).unwrap()["code"].clone())
}

#[tokio::test]
async fn a_key_opens_a_connection_as_any_of_the_header_fields_that_it_may_be() {
    let scene = Scene::new().await;
    let key = &scene.key.text;
    for headers in [
        json!({"Authorization": format!("Bearer {key}")}),
        json!({"x-api-key": key}),
        json!({"Sec-WebSocket-Protocol": format!("lmo.key.{key}")}),
    ] {
        let answer = scene.connect(headers).await;
        assert_eq!((answer.status_code, answer.headers.len()), (200, 0));
    }
}

#[tokio::test]
async fn of_the_protocols_that_are_offered_the_key_is_never_selected() {
    let scene = Scene::new().await;
    let protocols = json!({"Sec-WebSocket-Protocol": format!("lmo, lmo.key.{}", scene.key.text)});
    let answer = scene.connect(protocols).await;
    assert_eq!((answer.status_code, answer.headers["sec-websocket-protocol"].to_str().unwrap()), (200, "lmo"));
    assert!(!serde_json::to_string(&answer).unwrap().contains(&scene.key.text));
}

#[tokio::test]
async fn without_a_good_key_there_is_no_connection() {
    let scene = Scene::new().await;
    let now = scene.ground.platform.clock().now();
    let expired = key(&scene.ground, scene.tenant, KeyScope::all(), Some(now)).await;
    let mut wrong = scene.key.text.clone();
    wrong.replace_range(60..61, if &wrong[60..61] == "A" { "B" } else { "A" });
    for key in [String::new(), "lmo_wrong".to_owned(), wrong, expired.text] {
        for headers in [json!({"x-api-key": key}), json!({"Sec-WebSocket-Protocol": format!("lmo, lmo.key.{key}")})] {
            assert_eq!(code(&scene.connect(headers).await), (401, json!("unauthenticated")));
        }
    }
    assert_eq!(code(&scene.connect(json!({})).await), (401, json!("unauthenticated")));
    assert!(scene.items().await.is_empty());
}

#[tokio::test]
async fn a_key_that_may_not_ask_opens_nothing() {
    let scene = Scene::new().await;
    let reports = key(&scene.ground, scene.tenant, BTreeSet::from([KeyScope::UsageRead]), None).await;
    assert_eq!(code(&scene.connect(json!({"x-api-key": reports.text})).await), (403, json!("forbidden")));
}

#[tokio::test]
async fn a_page_opens_a_connection_if_the_tenant_lists_its_origin() {
    let scene = Scene::new().await;
    scene.put_config(json!({"allowed_origins": ["https://app.acme.example"]})).await;
    let from = |origin: &str| json!({"x-api-key": scene.key.text, "Origin": origin});
    assert_eq!(scene.connect(from("https://app.acme.example")).await.status_code, 200);
    for origin in ["https://evil.example", "null", "https://app.acme.example.evil.example"] {
        assert_eq!(code(&scene.connect(from(origin)).await), (403, json!("origin_not_allowed")), "{origin}");
    }
}

#[tokio::test]
async fn a_key_opens_a_connection_from_its_addresses_only() {
    let scene = Scene::new().await;
    scene.list_addresses(Some("203.0.113.0/24")).await;
    let connect = async |address: &str| {
        let mut event = connect_event(CONNECTION, json!({"x-api-key": scene.key.text}));
        event.request_context.identity.source_ip = Some(address.to_owned()).filter(|address| !address.is_empty());
        code(&scene.another_instance().handle(event).await.unwrap())
    };
    assert_eq!(connect("203.0.113.17").await.0, 200);
    for elsewhere in ["198.51.100.17", "", "somewhere"] {
        assert_eq!(connect(elsewhere).await, (403, json!("address_not_allowed")), "{elsewhere}");
    }
    // Nothing stands in front here that could say who its client is.
    let mut event = connect_event(CONNECTION, json!({"x-api-key": scene.key.text, "x-lmo-viewer": "203.0.113.17"}));
    event.request_context.identity.source_ip = Some("198.51.100.17".to_owned());
    assert_eq!(code(&scene.another_instance().handle(event).await.unwrap()).0, 403);
}

#[tokio::test]
async fn what_is_kept_of_a_connection_opens_nothing_and_expires() {
    let scene = Scene::new().await;
    scene.open().await;
    let items = scene.items().await;
    assert_eq!(items.len(), 1);
    let text = items[0].to_string();
    let secret = scene.key.text.split('_').next_back().unwrap();
    assert!(!text.contains(&secret[..52]) && !text.contains(&scene.key.secret_hash), "{text}");
    let now = scene.ground.platform.clock().now();
    let hours = |hours| now.after(Duration::from_hours(hours)).seconds();
    assert!((hours(2)..hours(3)).contains(&items[0]["expires_at"].as_u64().unwrap()), "{text}");
}

#[tokio::test]
async fn a_connection_that_ends_is_forgotten() {
    let scene = Scene::new().await;
    scene.open().await;
    for _ in 0..2 {
        let answer = scene.function.handle(disconnect_event(CONNECTION)).await.unwrap();
        assert_eq!(answer.status_code, 200);
        assert!(scene.items().await.is_empty());
    }
    scene.say("m1", &json!({"query": "hi"})).await;
    assert_eq!(scene.management.frames()[0]["data"]["code"], "unauthenticated");
}

#[tokio::test]
async fn the_events_of_api_gateway_are_understood() {
    let scene = Scene::new().await;
    let handled = async |name: &str| scene.function.handle(serde_json::from_str(&event(name)).unwrap()).await.unwrap();
    // The key in it is nobody's.
    assert_eq!(code(&handled("apigw-websocket-connect.json").await), (401, json!("unauthenticated")));
    scene.open().await;
    assert_eq!(handled("apigw-websocket-message.json").await.status_code, 200);
    let frames = scene.management.frames();
    assert_eq!((&frames[0]["id"], &frames.last().unwrap()["event"]), (&json!("1"), &json!("done")));
    assert_eq!(handled("apigw-websocket-disconnect.json").await.status_code, 200);
}

#[tokio::test]
async fn an_event_of_another_kind_fails() {
    let scene = Scene::new().await;
    let mut event: Value = serde_json::from_str(&event("apigw-websocket-message.json")).unwrap();
    event["requestContext"]["eventType"] = "SHOUT".into();
    let error = scene.function.handle(serde_json::from_value(event).unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no event `SHOUT`");
}
