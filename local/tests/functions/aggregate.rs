//! The `aggregate` function, fed with Lambda's own events.

use lmo_aggregate::{Trigger, count, handle};
use lmo_shared::{
    clock::{Period, Timestamp},
    id::{KeyId, RequestId, TenantId},
    llm::Usage,
    money::{NanoUsd, Tokens},
    quota::{Account, Grant, Hold, Limits},
    store::keys::Bucket,
    usage::{Entry, Ledger, Outcome, Reconciled, expires_at},
};
use serde_json::{Value, json};

use crate::support::{Ground, event};

const TENANTS: [&str; 2] = ["tnt_01KAEW3G6Q2R8YB4M7C1D5F9HJ", "tnt_01KAEW5T0S9XV3N6P8Q2R4T7WZ"];
const BATCH: &str = "kinesis-batch.json";
const POISON: &str = "kinesis-batch-poison.json";

fn ten_o_clock() -> Timestamp {
    Timestamp::parse("2026-11-22T10:00:00Z").unwrap()
}

fn tenants() -> [TenantId; 2] {
    TENANTS.map(|tenant| TenantId::parse(tenant).unwrap())
}

fn batch(name: &str) -> aws_lambda_events::event::kinesis::KinesisEvent {
    match serde_json::from_str(&event(name)).unwrap() {
        Trigger::Batch(batch) => batch,
        Trigger::Sweep | Trigger::Reconcile | Trigger::Purge => panic!("{name} is no batch"),
    }
}

/// The sequence numbers of a batch's records.
fn sequences(name: &str) -> Vec<String> {
    batch(name).records.into_iter().map(|record| record.kinesis.sequence_number).collect()
}

/// What a response says, as Lambda reads it.
fn failures(sequences: &[&String]) -> Value {
    let items: Vec<_> = sequences.iter().map(|sequence| json!({ "itemIdentifier": sequence })).collect();
    json!({ "batchItemFailures": items })
}

/// Two requests in each of the first two buckets of either tenant.
async fn ground() -> Ground {
    let ground = Ground::at(Timestamp(ten_o_clock().0 + 20_000)).await;
    let ledger = Ledger::new(ground.platform.table().clone());
    for tenant in tenants() {
        for after in [1, 2, 10_001, 10_002] {
            let id = RequestId::new(Timestamp(ten_o_clock().0 + after));
            ledger.record(tenant, id, entry(id)).await.unwrap();
        }
    }
    ground
}

fn entry(id: RequestId) -> Entry {
    Entry {
        key: KeyId::new(ten_o_clock()),
        model: "lmo/echo".to_owned(),
        prices: "2026-11".to_owned(),
        usage: Usage { input_tokens: Tokens(3), output_tokens: Tokens(4), ..Usage::default() },
        nano_usd: NanoUsd(70),
        byok: false,
        estimated: false,
        unbilled: Tokens::ZERO,
        outcome: Outcome::Answered,
        attempts: 1,
        failed_attempts: Vec::new(),
        first_ms: None,
        total_ms: 9,
        expires_at: expires_at(id),
    }
}

/// How many requests the month's totals of both tenants count.
async fn counted(ground: &Ground) -> [u64; 2] {
    let mut counted = [0; 2];
    for (tenant, requests) in tenants().into_iter().zip(&mut counted) {
        let total = ground.platform.aggregator().total(tenant, Period::month(ten_o_clock())).await.unwrap();
        *requests = total.unwrap_or_default().sum().unwrap().requests;
    }
    counted
}

pub async fn feed(ground: &Ground, name: &str) -> Value {
    let trigger = serde_json::from_str(&event(name)).unwrap();
    let platform = &ground.platform;
    let (aggregator, sweeper, books) = (platform.aggregator(), platform.sweeper(), platform.books());
    handle(&aggregator, &sweeper, &books, &platform.purge(), trigger, Timestamp(u64::MAX)).await.unwrap()
}

#[tokio::test]
async fn a_batch_is_counted_and_no_record_fails() {
    let ground = ground().await;
    assert_eq!(feed(&ground, BATCH).await, json!({ "batchItemFailures": [] }));
    // The second tenant's second bucket is named by no record.
    assert_eq!(counted(&ground).await, [4, 2]);
}

#[tokio::test]
async fn a_batch_delivered_twice_is_counted_once() {
    let ground = ground().await;
    feed(&ground, BATCH).await;
    feed(&ground, BATCH).await;
    assert_eq!(counted(&ground).await, [4, 2]);
}

#[tokio::test]
async fn a_poison_record_fails_alone() {
    let ground = ground().await;
    let sequences = sequences(POISON);
    assert_eq!(feed(&ground, POISON).await, failures(&[&sequences[1], &sequences[3]]));
    assert_eq!(counted(&ground).await, [2, 2]);
}

#[tokio::test]
async fn a_tenant_that_cannot_be_counted_fails_with_its_records_alone() {
    let ground = ground().await;
    *ground.cut.lock().unwrap() = Some(TENANTS[0].to_owned());
    let sequences = sequences(BATCH);
    assert_eq!(feed(&ground, BATCH).await, failures(&[&sequences[0], &sequences[2], &sequences[3]]));
    *ground.cut.lock().unwrap() = None;
    assert_eq!(counted(&ground).await, [0, 2]);
}

#[tokio::test]
async fn what_failed_is_counted_when_it_comes_again() {
    let ground = ground().await;
    *ground.cut.lock().unwrap() = Some("#TOTALS".to_owned());
    feed(&ground, BATCH).await;
    *ground.cut.lock().unwrap() = None;
    assert_eq!(count(&ground.platform.aggregator(), batch(BATCH)).await.batch_item_failures, []);
    assert_eq!(counted(&ground).await, [4, 2]);
}

#[tokio::test]
async fn the_schedules_event_sweeps() {
    let ground = ground().await;
    let swept = feed(&ground, "scheduler-sweep.json").await;
    assert_eq!((&swept["tenants"], &swept["hours_closed"]), (&json!(0), &json!(0)));
}

/// A request that is held on a tenant's meter.
async fn hold(ground: &Ground, tenant: TenantId, after: u64) -> (Account, Grant) {
    let id = RequestId::new(Timestamp(ten_o_clock().0 + after));
    let Entry { key, model, prices, .. } = entry(id);
    let (limits, key_limits) = (Limits::default(), Limits::default());
    let account = Account { tenant, limits, shards: 1, key, key_limits };
    let deadline = Timestamp(ten_o_clock().0 + 600_000);
    let hold =
        Hold { input: Tokens(10), output: Tokens(10), cost: NanoUsd(100), deadline, key, model, prices, byok: false };
    let grant = ground.platform.meters().hold(&account, id, hold).await.unwrap();
    (account, grant)
}

async fn settle(ground: &Ground, (account, grant): (Account, Grant)) {
    ground.platform.meters().settle(&account, &grant, Tokens(7), NanoUsd(70)).await.unwrap();
}

/// Settles all requests of the tenant that the ledger knows.
async fn settle_all(ground: &Ground, tenant: TenantId) {
    for after in [1, 2, 10_001, 10_002] {
        let held = hold(ground, tenant, after).await;
        settle(ground, held).await;
    }
}

#[tokio::test]
async fn the_schedules_event_reconciles_books_that_agree() {
    let ground = ground().await;
    feed(&ground, BATCH).await;
    settle_all(&ground, tenants()[0]).await;
    let found = feed(&ground, "scheduler-reconcile.json").await;
    assert_eq!(found, json!({"compared": 1, "open": 0, "differ": 0, "failed": 0}));
}

#[tokio::test]
async fn events_that_were_lost_are_no_difference() {
    let ground = ground().await;
    settle_all(&ground, tenants()[0]).await;
    let found = ground.platform.books().reconcile().await.unwrap();
    assert_eq!(found, Reconciled { compared: 1, ..Reconciled::default() });
    assert_eq!(counted(&ground).await, [4, 0]);
}

#[tokio::test]
async fn books_that_differ_are_found_and_open_ones_left() {
    let ground = ground().await;
    let [first, second] = tenants();
    let held = hold(&ground, first, 1).await;
    settle(&ground, held).await;
    hold(&ground, second, 2).await;
    let found = ground.platform.books().reconcile().await.unwrap();
    assert_eq!(found, Reconciled { compared: 2, open: 1, differ: 1, failed: 0 });
}

#[tokio::test]
async fn a_tenant_whose_books_cannot_be_read_stops_no_other() {
    let ground = ground().await;
    let [first, second] = tenants();
    hold(&ground, first, 1).await;
    hold(&ground, second, 2).await;
    *ground.cut.lock().unwrap() = Some(TENANTS[0].to_owned());
    let found = ground.platform.books().reconcile().await.unwrap();
    assert_eq!(found, Reconciled { compared: 2, open: 1, differ: 0, failed: 1 });
}

#[test]
fn a_task_that_does_not_exist_is_refused() {
    let error = serde_json::from_str::<Trigger>(r#"{"task": "swept"}"#).unwrap_err();
    assert_eq!(error.to_string(), "there is no task `swept`");
}

#[test]
fn records_name_the_buckets_of_their_tenants() {
    let events =
        batch(BATCH).records.into_iter().map(|record| lmo_shared::usage::UsageEvent::parse(&record.kinesis.data));
    let touched = lmo_shared::usage::Aggregator::touched(events.map(Result::unwrap));
    let bucket = |after| Bucket::at(Timestamp(ten_o_clock().0 + after));
    let [first, second] = tenants();
    assert_eq!(touched[&first], [bucket(0), bucket(10_000)].into());
    assert_eq!(touched[&second], [bucket(0)].into());
}
