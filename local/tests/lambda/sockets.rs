//! The `websocket` binary: what API Gateway's WebSocket API gives it, and what it posts there.

use lmo_bench::lambda::{HttpEvent, Launch, event};

use crate::support::{Ground, Value, ask, assert_status, json};

#[path = "../functions/websocket/management.rs"]
#[expect(dead_code, reason = "the handler's own tests use all of it")]
mod management;

use management::Management;

/// A file of events from whoever has this key.
fn from_key(file: &str, key: &str) -> Value {
    let text = event(file).to_string();
    let placeholder = text.find("lmo.key.").map(|at| {
        let key = &text[at + "lmo.key.".len()..];
        key[..key.find('"').unwrap()].to_owned()
    });
    serde_json::from_str(&placeholder.map_or(text.clone(), |placeholder| text.replace(&placeholder, key))).unwrap()
}

fn launch(ground: &Ground, management: &Management) -> Launch {
    ground.launch("websocket").env("LMO_WEBSOCKET_ENDPOINT", &management.endpoint)
}

#[tokio::test]
async fn websocket_answers_its_events() {
    let (ground, management) = (Ground::new(), Management::start().await);
    let config = HttpEvent::file("apigw-tenant-config-put.json").key(ground.key());
    let config = config.body(&json!({"allowed_origins": ["https://app.acme.example"]}));
    assert_status(&ask(&mut ground.function("tenant"), config).await, 200);
    let mut function = launch(&ground, &management).start().unwrap();
    let opened = function.invoke(&from_key("apigw-websocket-connect.json", ground.key())).await.unwrap().json();
    assert_eq!((&opened["statusCode"], &opened["headers"]["sec-websocket-protocol"]), (&json!(200), &json!("lmo")));
    // Lambda repeats what it handed over without waiting, if it doesn't know how that went.
    for _ in 0..2 {
        function.invoke(&event("apigw-websocket-message.json")).await.unwrap();
    }
    let frames = management.frames();
    let text: String = frames.iter().filter_map(|frame| frame["data"]["text"].as_str()).collect();
    assert_eq!(text, lmo_bench::standin::text(16), "{frames:?}");
    assert_eq!(frames.iter().filter(|frame| frame["event"] == "done").count(), 1);
    assert!(frames.iter().all(|frame| frame["id"] == "1"));
    let closed = function.invoke(&event("apigw-websocket-disconnect.json")).await.unwrap().json();
    assert_eq!(closed["statusCode"], 200);
    let requests = ground.standin.stats().requests;
    function.invoke(&event("apigw-websocket-message.json")).await.unwrap();
    assert_eq!(ground.standin.stats().requests, requests, "a connection that was closed asks nothing");
    let [book] = &ground.assert_books_agree().await[..] else { panic!("one tenant") };
    assert_eq!(book["agree"], true);
}

#[tokio::test]
async fn a_key_that_is_nobodys_opens_no_connection() {
    let (ground, management) = (Ground::new(), Management::start().await);
    let mut function = launch(&ground, &management).start().unwrap();
    let refused = function.invoke(&event("apigw-websocket-connect.json")).await.unwrap().json();
    assert_eq!(refused["statusCode"], 401, "{refused}");
}

#[tokio::test]
async fn an_endpoint_that_is_missing_or_in_the_clear_is_told() {
    let (ground, management) = (Ground::new(), Management::start().await);
    for (launch, problem) in [
        (launch(&ground, &management).without("LMO_WEBSOCKET_ENDPOINT"), "must be set"),
        (ground.launch("websocket").env("LMO_WEBSOCKET_ENDPOINT", "http://example.com/live"), "https"),
    ] {
        crate::start::assert_fails(&launch, "LMO_WEBSOCKET_ENDPOINT", problem).await;
    }
}
