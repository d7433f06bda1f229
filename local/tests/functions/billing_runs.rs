//! Billing runs: nobody is left out, nobody is billed twice, whatever dies when.

mod charges;
mod kills;
mod scene;

use std::time::Duration;

use lmo_shared::{
    audit::Actor,
    billing::run::{Begin, FOREVER, Others, RunState, Worked},
    clock::{Period, Timestamp},
    error::Error,
    store::keys,
};
use serde_json::json;

use scene::{HOUR, Scene, at, october};

#[tokio::test]
async fn a_run_begins_when_its_month_is_over_with_drafts_and_ends_behind_the_grace_period() {
    let scene = Scene::at("2035-10-31T23:59:59Z").await;
    scene.tenants(3, "2035-10-05T08:00:00Z").await;
    let before = scene.tick().await.remove(0);
    assert_eq!((before.period.as_str(), before.counts.nothing, before.status), ("2035-09", 3, RunState::Finished));
    assert_eq!(scene.tick().await, []);
    scene.advance(Duration::from_secs(1));
    let waits = scene.tick().await.remove(0);
    assert_eq!((waits.status, waits.counts.waiting, waits.counts.tenants()), (RunState::Waiting, 3, 3));
    assert_eq!(waits.next_at.as_deref(), Some("2035-11-02T00:00:00Z"));
    for _ in 0..3 {
        scene.advance(HOUR);
        assert_eq!(scene.tick().await.remove(0).parts[0].passes, 1);
    }
    scene.advance(21 * HOUR);
    let done = scene.tick().await.remove(0);
    assert_eq!((done.status, done.counts.finalised, done.counts.open()), (RunState::Finished, 3, 0));
    scene.assert_everybody_has_one_invoice().await;
    assert_eq!(scene.tick().await, []);
}

#[tokio::test]
async fn who_fails_stops_nobody_and_is_tried_again() {
    let scene = Scene::at("2035-11-03T00:00:00Z").await;
    let tenants = scene.tenants(5, "2035-10-05T08:00:00Z").await;
    scene.cut(Some(format!("TENANT#{}#INVOICES", tenants[2])));
    let failed = scene.tick().await.remove(0);
    assert_eq!((failed.status, failed.counts.finalised, failed.counts.failed), (RunState::Waiting, 4, 1));
    assert_eq!((failed.open[0].tenant, failed.open[0].code.as_str()), (tenants[2], "unavailable"));
    scene.cut(None);
    scene.advance(HOUR);
    let done = scene.tick().await.remove(0);
    assert_eq!((done.status, done.counts.finalised, done.counts.failed), (RunState::Finished, 5, 0));
    assert_eq!(done.open, []);
    scene.assert_everybody_has_one_invoice().await;
}

/// An item has room for 400 KB.
#[tokio::test]
async fn an_invoice_that_can_not_be_written_keeps_no_other_from_its_number() {
    let scene = Scene::at("2035-11-03T00:00:00Z").await;
    let tenants = scene.tenants(5, "2035-10-05T08:00:00Z").await;
    let main = scene.platform().table().tenant(tenants[2]).main();
    let endless = json!({"profile": {"name": "x".repeat(409_300)}, "version": 1});
    main.put(keys::BUYER, &endless).await.unwrap();
    let run = scene.tick().await.remove(0);
    assert_eq!((run.counts.finalised, run.counts.failed), (4, 1), "{run:?}");
    assert_eq!(run.open[0].tenant, tenants[2]);
}

/// With clocks that differ some of them come in front of where a pass is.
#[tokio::test]
async fn tenants_that_are_made_during_a_pass_are_not_left_out() {
    let scene = Scene::at("2035-11-01T00:00:00Z").await;
    scene.tenants(70, "2035-10-05T08:00:00Z").await;
    scene.tenants(70, "2035-10-06T08:00:00Z").await;
    scene.runs().begin(october(), Begin { parts: Some(3), again: false }, &Actor::system()).await.unwrap();
    for part in [2, 0, 1] {
        scene.runs().work(october(), part, Others::MayBeAtIt, Timestamp(0)).await.unwrap();
        scene.tenants(1, "2035-10-05T08:00:00Z").await;
        scene.tenants(1, "2035-10-06T08:00:00Z").await;
        scene.tenants(1, "2035-10-31T23:59:59Z").await;
    }
    scene.finish().await;
    scene.assert_everybody_has_one_invoice().await;
    assert_eq!(scene.progress().await.counts.finalised, 149);
}

#[tokio::test]
async fn who_comes_behind_the_month_gets_no_invoice_for_it() {
    let scene = Scene::at("2035-11-03T00:00:00Z").await;
    scene.tenants(2, "2035-10-31T23:59:59Z").await;
    scene.tenants(3, "2035-11-01T00:00:00Z").await;
    let done = scene.tick().await.remove(0);
    assert_eq!((done.counts.finalised, done.counts.nothing, done.status), (2, 3, RunState::Finished));
}

#[tokio::test]
async fn a_part_that_is_out_of_time_goes_on_where_it_was() {
    let scene = Scene::at("2035-11-03T00:00:00Z").await;
    scene.tenants(40, "2035-10-05T08:00:00Z").await;
    scene.runs().begin(october(), Begin::default(), &Actor::system()).await.unwrap();
    for billed in 1..40 {
        let worked = scene.runs().work(october(), 0, Others::MayBeAtIt, Timestamp(0)).await.unwrap();
        assert_eq!((worked, scene.progress().await.counts.finalised), (Worked::More, billed));
    }
    let worked = scene.runs().work(october(), 0, Others::MayBeAtIt, Timestamp(0)).await.unwrap();
    assert_eq!(worked, Worked::Finished);
    scene.assert_everybody_has_one_invoice().await;
}

#[tokio::test]
async fn nobody_goes_on_with_a_part_until_the_claim_of_who_died_is_over() {
    let scene = Scene::at("2035-11-03T00:00:00Z").await;
    scene.tenants(10, "2035-10-05T08:00:00Z").await;
    scene.runs().begin(october(), Begin::default(), &Actor::system()).await.unwrap();
    let work = async |others| scene.runs().work(october(), 0, others, FOREVER).await;
    // It has its claim, and then nothing gets through.
    scene.die_after(4);
    assert!(work(Others::MayBeAtIt).await.is_err());
    scene.live();
    assert_eq!(work(Others::MayBeAtIt).await.unwrap(), Worked::Nothing);
    scene.advance(Duration::from_mins(3));
    assert_eq!(work(Others::MayBeAtIt).await.unwrap(), Worked::Finished);
    scene.assert_everybody_has_one_invoice().await;
}

#[tokio::test]
async fn two_at_the_same_part_bill_everybody_once() {
    let scene = Scene::at("2035-11-03T00:00:00Z").await;
    scene.tenants(150, "2035-10-05T08:00:00Z").await;
    scene.runs().begin(october(), Begin::default(), &Actor::system()).await.unwrap();
    // Each takes the other for dead, so both are at it; whoever is overtaken leaves.
    let (one, other) = (scene.runs(), scene.runs());
    let (one, other) = tokio::join!(
        one.work(october(), 0, Others::AreDead, FOREVER),
        other.work(october(), 0, Others::AreDead, FOREVER),
    );
    let worked = [one.unwrap(), other.unwrap()];
    assert!(worked.contains(&Worked::Finished), "{worked:?}");
    scene.assert_everybody_has_one_invoice().await;
}

#[tokio::test]
async fn runs_that_begin_at_the_same_time_are_one() {
    let scene = Scene::at("2035-11-03T00:00:00Z").await;
    scene.tenants(10, "2035-10-05T08:00:00Z").await;
    let (runs, actor) = (scene.runs(), Actor::system());
    let begin = |parts| runs.begin(october(), Begin { parts: Some(parts), again: false }, &actor);
    let (one, other) = tokio::join!(begin(3), begin(5));
    assert_eq!(one.unwrap(), other.unwrap());
    scene.finish().await;
    scene.assert_everybody_has_one_invoice().await;
}

#[tokio::test]
async fn a_finished_run_begins_anew_only_if_it_is_told_to() {
    let scene = Scene::at("2035-11-03T00:00:00Z").await;
    scene.tenants(4, "2035-10-05T08:00:00Z").await;
    scene.tick().await;
    scene.tenants(1, "2035-10-20T08:00:00Z").await;
    let begin = async |again| {
        scene.runs().begin(october(), Begin { parts: None, again }, &Actor::system()).await.unwrap();
        scene.tick().await;
        scene.progress().await.counts.finalised
    };
    assert_eq!(begin(false).await, 4);
    assert_eq!(begin(true).await, 5);
    assert_eq!(scene.progress().await.status, RunState::Finished);
    scene.assert_everybody_has_one_invoice().await;
}

#[tokio::test]
async fn months_that_the_schedule_did_not_come_for_are_made_up_for() {
    let scene = Scene::at("2035-11-03T00:00:00Z").await;
    scene.tenants(2, "2035-09-05T08:00:00Z").await;
    // Before the first run nobody was billed.
    assert_eq!(scene.tick().await.len(), 1);
    scene.advance(95 * 24 * HOUR);
    let made = scene.tick().await;
    let periods: Vec<_> = made.iter().map(|run| (run.period.as_str(), run.status)).collect();
    let finished = |period| (period, RunState::Finished);
    assert_eq!(periods, [finished("2035-11"), finished("2035-12"), finished("2036-01")]);
}

#[tokio::test]
async fn a_month_between_others_is_made_up_for() {
    let scene = Scene::at("2035-10-03T00:00:00Z").await;
    scene.tenants(2, "2035-08-05T08:00:00Z").await;
    assert_eq!(scene.tick().await.remove(0).period, "2035-09");
    scene.advance(65 * 24 * HOUR);
    let november = Period::parse("2035-11").unwrap();
    scene.runs().begin(november, Begin::default(), &Actor::system()).await.unwrap();
    let periods: Vec<_> = scene.tick().await.into_iter().map(|run| run.period).collect();
    assert!(periods.contains(&"2035-10".to_owned()), "{periods:?}");
}

#[tokio::test]
async fn a_month_that_is_not_over_has_no_run() {
    let scene = Scene::at("2035-10-31T23:59:59Z").await;
    let begun = scene.runs().begin(october(), Begin::default(), &Actor::system()).await;
    assert!(matches!(begun, Err(Error::Conflict(_))));
    let none = scene.runs().work(Period::month(at("2034-01-01")), 0, Others::MayBeAtIt, FOREVER).await;
    assert!(matches!(none, Err(Error::NotFound { .. })));
}
