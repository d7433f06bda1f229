//! The ends of hours and months, and clocks that go wrong.

use std::{sync::atomic::Ordering, time::Duration};

use lmo_shared::{
    clock::{Clock, Period, Timestamp},
    id::RequestId,
    llm::Usage,
    money::{NanoUsd, Tokens},
    quota::{Hold, Limits, Need},
    usage::{Entry, Expired, Ledger, Outcome},
};

use super::Scene;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

fn set(clock: &Clock, to: Timestamp) {
    if let Clock::Manual(now) = clock {
        now.store(to.0, Ordering::SeqCst);
    }
}

/// A request that was made at `made` and is held now, with its entry, its settlement, and no event.
async fn request_without_an_event(scene: &Scene, made: Timestamp) {
    let (account, clock) = (scene.caller().await.account(), scene.platform.clock());
    let need = Need { input: Tokens(10), output: Tokens(10), cost: NanoUsd(0) };
    let (model, prices) = ("lmo/echo".to_owned(), String::new());
    let deadline = clock.now().after(Duration::from_mins(1));
    let hold = Hold {
        input: need.input,
        output: need.output,
        cost: need.cost,
        deadline,
        key: account.key,
        model,
        prices,
        byok: false,
    };
    let request = RequestId::new(made);
    let meters = scene.platform.meters();
    let grant = meters.hold(&account, request, hold.clone()).await.expect("held");
    let usage = Usage { input_tokens: Tokens(3), output_tokens: Tokens(4), ..Usage::default() };
    let entry = Entry {
        key: account.key,
        model: hold.model,
        prices: hold.prices,
        usage,
        nano_usd: NanoUsd(0),
        byok: false,
        estimated: false,
        unbilled: Tokens(0),
        outcome: Outcome::Answered,
        attempts: 1,
        failed_attempts: Vec::new(),
        first_ms: None,
        total_ms: 1,
        expires_at: lmo_shared::usage::expires_at(request),
    };
    Ledger::new(scene.platform.table().clone()).record(account.tenant, request, entry).await.expect("recorded");
    meters.settle(&account, &grant, Tokens(7), NanoUsd(0)).await.expect("settled");
}

#[tokio::test]
async fn the_first_request_of_a_month_is_counted_though_it_is_held_an_hour_later_by_the_clock() {
    let scene = Scene::at(at("2027-03-01T00:00:00Z"), Limits::default(), 1).await;
    let made = Timestamp(at("2027-03-01T00:00:00Z").0 - 1);
    request_without_an_event(&scene, made).await;
    scene.platform.clock().advance(Duration::from_hours(2));
    scene.platform.sweeper().sweep(Expired::ByDeadline).await.expect("swept");
    let books = scene.platform.books().compare(scene.tenant, Period::month(made)).await.expect("books");
    assert!(books.agree() && books.totals.tokens == 7, "{books:?}");
}

#[tokio::test]
async fn a_request_whose_event_was_lost_is_counted_when_its_hour_is_closed() {
    let scene = Scene::at(at("2027-03-01T08:59:59Z"), Limits::default(), 1).await;
    request_without_an_event(&scene, scene.platform.clock().now()).await;
    scene.platform.clock().advance(Duration::from_hours(1));
    scene.platform.sweeper().sweep(Expired::ByDeadline).await.expect("swept");
    assert!(scene.books().await.agree());
}

#[tokio::test]
async fn a_request_whose_event_died_with_its_instance_is_counted_at_the_next_start() {
    let scene = Scene::new(Limits::default(), 1).await;
    request_without_an_event(&scene, scene.platform.clock().now()).await;
    scene.restart().await;
    assert!(scene.books().await.agree());
}

#[tokio::test]
async fn requests_after_a_count_by_the_sweep_are_counted_too() {
    let scene = Scene::new(Limits::default(), 1).await;
    for _ in 0..3 {
        request_without_an_event(&scene, scene.platform.clock().now()).await;
    }
    scene.restart().await;
    scene.platform.clock().advance(Duration::from_secs(10));
    let made = scene.platform.clock().now();
    request_without_an_event(&scene, made).await;
    let buckets = [lmo_shared::store::keys::Bucket::at(made)].into();
    scene.platform.aggregator().count(scene.tenant, &buckets).await.expect("counted");
    let books = scene.books().await;
    assert!(books.agree() && books.totals.requests == 4, "{books:?}");
}

#[tokio::test]
async fn a_clock_that_goes_back_does_not_open_a_minute_twice() {
    let limits = Limits { requests_per_minute: Some(3), ..Limits::default() };
    let scene = Scene::at(at("2027-03-01T08:00:30Z"), limits, 1).await;
    let mut answered = 0;
    for clock in ["08:00:30", "08:01:01", "08:00:59", "08:01:02", "08:00:58", "08:01:03"] {
        set(scene.platform.clock(), at(&format!("2027-03-01T{clock}Z")));
        for _ in 0..2 {
            answered += u32::from(scene.ask().await.is_ok());
        }
    }
    // Two in the first minute, three in the second.
    assert_eq!(answered, 5);
}
