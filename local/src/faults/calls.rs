//! How many calls of the database a request takes: each costs money and a round trip.

use lmo_shared::quota::Limits;

use super::{Scene, network::Fate};

fn of_database(calls: &[String]) -> Vec<&str> {
    calls.iter().map(String::as_str).filter(|call| *call != "PutRecords").collect()
}

#[tokio::test]
async fn a_warm_request_takes_a_hold_an_entry_and_a_settlement() {
    let scene = Scene::new(Limits { monthly_tokens: Some(1000), ..Limits::default() }, 1).await;
    scene.ask().await.expect("warms up");
    scene.network.fares(|_, _| Fate::Passes);
    scene.ask().await.expect("answered");
    assert_eq!(of_database(&scene.network.calls()), ["UpdateItem", "PutItem", "UpdateItem"]);
}

#[tokio::test]
async fn an_unknown_key_takes_one_read_more() {
    let mut scene = Scene::new(Limits::default(), 1).await;
    scene.ask().await.expect("warms up");
    scene.authenticator = scene.platform.authenticator();
    scene.network.fares(|_, _| Fate::Passes);
    scene.ask().await.expect("answered");
    assert_eq!(of_database(&scene.network.calls()), ["BatchGetItem", "UpdateItem", "PutItem", "UpdateItem"]);
}

#[tokio::test]
async fn nothing_is_ever_scanned() {
    let scene = Scene::new(Limits { monthly_tokens: Some(100), ..Limits::default() }, 4).await;
    scene.network.fares(|_, _| Fate::Passes);
    for _ in 0..10 {
        // Some are refused.
        let _ = scene.ask().await;
    }
    scene.restart().await;
    scene.books().await;
    assert!(!scene.network.calls().iter().any(|call| call == "Scan"));
}
