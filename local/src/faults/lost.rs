//! Answers of the database that get lost, and calls that it refuses for the moment.

use futures_util::future::join_all;
use lmo_shared::{error::Error, quota::Limits};

use super::{Scene, network::Fate};

#[tokio::test]
async fn a_hold_whose_answer_is_lost_takes_once() {
    let scene = Scene::new(Limits { monthly_tokens: Some(1000), ..Limits::default() }, 1).await;
    scene.ask().await.expect("opens the meter");
    scene
        .network
        .fares(|call, before| if call == "UpdateItem" && before == 0 { Fate::Unanswered } else { Fate::Passes });
    scene.ask().await.expect("answered");
    scene.network.fares(|_, _| Fate::Passes);
    let books = scene.books().await;
    assert!(books.balanced && books.holds == 0 && books.meter.requests == 2, "{books:?}");
}

#[tokio::test]
async fn a_settlement_whose_answer_is_lost_counts_once() {
    let scene = Scene::new(Limits::default(), 1).await;
    scene.ask().await.expect("opens the meter");
    scene
        .network
        .fares(|call, before| if call == "UpdateItem" && before == 1 { Fate::Unanswered } else { Fate::Passes });
    scene.ask().await.expect("answered");
    scene.network.fares(|_, _| Fate::Passes);
    assert_eq!(scene.books().await.meter.requests, 2);
}

#[tokio::test]
async fn a_ledger_entry_whose_answer_is_lost_is_charged_once() {
    let scene = Scene::new(Limits::default(), 1).await;
    scene.ask().await.expect("opens the meter");
    scene.network.fares(|call, before| if call == "PutItem" && before == 0 { Fate::Unanswered } else { Fate::Passes });
    scene.ask().await.expect("answered");
    scene.network.fares(|_, _| Fate::Passes);
    scene.restart().await;
    let books = scene.books().await;
    assert!(books.agree() && books.totals.requests == 2, "{books:?}");
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_is_taken_once() {
    let scene = Scene::new(Limits::default(), 1).await;
    let (connections, by) = (scene.platform.connections(), scene.caller().await.proved(None));
    connections.open("connection", by.clone()).await.expect("opened");
    scene.network.fares(|call, before| if call == "PutItem" && before == 0 { Fate::Unanswered } else { Fate::Passes });
    assert_eq!(connections.take("connection", "message").await.expect("taken"), Some(by));
    assert_eq!(connections.take("connection", "message").await.expect("refused"), None);
}

#[tokio::test]
async fn a_hold_that_is_never_answered_is_neither_granted_nor_charged() {
    let scene = Scene::new(Limits { monthly_tokens: Some(1000), ..Limits::default() }, 1).await;
    scene.ask().await.expect("opens the meter");
    // As often as the SDK tries.
    scene
        .network
        .fares(|call, before| if call == "UpdateItem" && before < 3 { Fate::Unanswered } else { Fate::Passes });
    let refused = scene.ask().await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    scene.network.fares(|_, _| Fate::Passes);
    let swept = scene.restart().await;
    assert_eq!((swept.estimated, scene.books().await.meter.requests), (0, 1));
}

#[tokio::test]
async fn books_agree_whichever_answers_are_lost() {
    for every in [2, 3, 5, 7] {
        let scene = Scene::new(Limits { monthly_tokens: Some(10_000), ..Limits::default() }, 2).await;
        scene.network.fares(move |call, before| match call {
            "UpdateItem" | "PutItem" | "TransactWriteItems" if before % every == 0 => Fate::Unanswered,
            _ => Fate::Passes,
        });
        let answered = join_all((0..60).map(|_| scene.ask())).await.into_iter().flatten().count() as u64;
        scene.network.fares(|_, _| Fate::Passes);
        scene.restart().await;
        let books = scene.books().await;
        assert!(books.agree() && (answered..=60).contains(&books.totals.requests), "{every}: {answered}, {books:?}");
    }
}

#[tokio::test]
async fn a_hold_that_is_throttled_for_a_moment_is_granted() {
    let scene = Scene::new(Limits::default(), 1).await;
    scene.ask().await.expect("opens the meter");
    scene.network.fares(|call, before| match call {
        "UpdateItem" if before < 2 => Fate::Refused("ThrottlingException"),
        _ => Fate::Passes,
    });
    scene.ask().await.expect("answered");
}

#[tokio::test]
async fn a_hold_that_is_throttled_for_long_is_unavailable() {
    let scene = Scene::new(Limits::default(), 1).await;
    scene.ask().await.expect("opens the meter");
    scene.network.fares(|call, _| match call {
        "UpdateItem" => Fate::Refused("ProvisionedThroughputExceededException"),
        _ => Fate::Passes,
    });
    let refused = scene.ask().await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn updates_that_meet_a_transaction_are_tried_again() {
    let scene = Scene::new(Limits::default(), 1).await;
    scene.ask().await.expect("opens the meter");
    scene.network.fares(|call, before| match call {
        "UpdateItem" if before % 3 != 2 => Fate::Refused("TransactionConflictException"),
        _ => Fate::Passes,
    });
    scene.ask().await.expect("answered");
    scene.network.fares(|_, _| Fate::Passes);
    assert_eq!(scene.books().await.meter.requests, 2);
}
