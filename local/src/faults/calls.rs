//! How many calls of the database a request takes: each costs money and a round trip.

use std::time::Duration;

use lmo_shared::{
    answer::{CacheStatus, Options},
    cache::{CacheControl, CacheMode},
    quota::Limits,
};

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
async fn a_cache_hit_takes_one_read_more_and_is_an_ordinary_request_otherwise() {
    let scene = Scene::new(Limits::default(), 1).await;
    let cache = CacheControl { mode: Some(CacheMode::Default), max_age: None };
    let options = Options { cache, ..Options::default() };
    scene.answer(None, options.clone()).await.expect("answered").collect().await.expect("whole");
    scene.network.fares(|_, _| Fate::Passes);
    let answer = scene.answer(None, options).await.expect("answered");
    assert_eq!(answer.cache, CacheStatus::Hit);
    answer.collect().await.expect("whole");
    let calls = scene.network.calls();
    let calls = of_database(&calls);
    let count = |name| calls.iter().filter(|call| **call == name).count();
    assert_eq!((count("GetItem"), count("UpdateItem"), count("PutItem"), calls.len()), (1, 2, 1, 4));
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
async fn the_use_of_a_key_takes_a_write_an_hour_and_none_of_a_warm_request() {
    let mut scene = Scene::new(Limits::default(), 1).await;
    scene.ask().await.expect("warms up");
    scene.platform.clock().advance(Duration::from_secs(29));
    scene.network.fares(|_, _| Fate::Passes);
    scene.ask().await.expect("answered");
    assert_eq!(of_database(&scene.network.calls()), ["UpdateItem", "PutItem", "UpdateItem"]);
    scene.platform.clock().advance(Duration::from_hours(1));
    for expected in [&["BatchGetItem", "UpdateItem"][..], &["BatchGetItem"]] {
        scene.authenticator = scene.platform.authenticator();
        scene.network.fares(|_, _| Fate::Passes);
        scene.caller().await;
        assert_eq!(of_database(&scene.network.calls()), expected);
    }
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
