//! The `aggregate` binary: what the event source mapping and the schedule give it.

use lmo_bench::lambda::event;
use lmo_shared::{
    clock::{Period, Timestamp},
    id::{KeyId, RequestId, TenantId},
    llm::Usage,
    money::{NanoUsd, Tokens},
    platform::Platform,
    usage::{Entry, Ledger, Outcome, expires_at},
};

use crate::support::{Ground, Value, json};

const TENANTS: [&str; 2] = ["tnt_01KAEW3G6Q2R8YB4M7C1D5F9HJ", "tnt_01KAEW5T0S9XV3N6P8Q2R4T7WZ"];

fn ten_o_clock() -> Timestamp {
    Timestamp::parse("2026-11-22T10:00:00Z").unwrap()
}

fn tenants() -> [TenantId; 2] {
    TENANTS.map(|tenant| TenantId::parse(tenant).unwrap())
}

/// Two requests in each of the first two buckets of either tenant. The hour is over, so whichever of its buckets a batch
/// names, all of it is counted.
async fn ground() -> (Ground, Platform) {
    let ground = Ground::new();
    let platform = ground.platform();
    let ledger = Ledger::new(platform.table().clone());
    for tenant in tenants() {
        for after in [1, 2, 10_001, 10_002] {
            let id = RequestId::new(Timestamp(ten_o_clock().0 + after));
            ledger.record(tenant, id, entry(id)).await.unwrap();
        }
    }
    (ground, platform)
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

/// What the binary answers to these events of `events/`, all of them in turn by one process, and how many requests the
/// month's totals of both tenants count then.
async fn fed(names: &[&str]) -> (Vec<Value>, [u64; 2]) {
    let (ground, platform) = ground().await;
    let mut function = ground.function("aggregate");
    let mut answers = Vec::new();
    for name in names {
        answers.push(function.invoke(&event(name)).await.unwrap().json());
    }
    let mut counted = [0; 2];
    for (tenant, requests) in tenants().into_iter().zip(&mut counted) {
        let total = platform.aggregator().total(tenant, Period::month(ten_o_clock())).await.unwrap();
        *requests = total.unwrap_or_default().sum().unwrap().requests;
    }
    (answers, counted)
}

#[tokio::test]
async fn a_batch_of_several_tenants_and_buckets_is_counted() {
    let (answers, counted) = fed(&["kinesis-batch.json"]).await;
    assert_eq!(answers, [json!({"batchItemFailures": []})]);
    assert_eq!(counted, [4, 4]);
}

#[tokio::test]
async fn records_that_come_twice_count_once() {
    let names = ["kinesis-batch-duplicated.json", "kinesis-batch-duplicated.json"];
    let (answers, counted) = fed(&names).await;
    assert_eq!(answers, [json!({"batchItemFailures": []}), json!({"batchItemFailures": []})]);
    assert_eq!(counted, [4, 4]);
}

#[tokio::test]
async fn a_poison_record_fails_alone() {
    let sequence = |at: usize| event("kinesis-batch-poison.json")["Records"][at]["kinesis"]["sequenceNumber"].clone();
    let (answers, counted) = fed(&["kinesis-batch-poison.json"]).await;
    let failures = [1, 3].map(|at| json!({"itemIdentifier": sequence(at)}));
    assert_eq!(answers, [json!({"batchItemFailures": failures})]);
    assert_eq!(counted, [4, 4]);
}

#[tokio::test]
async fn the_schedules_event_sweeps() {
    let (answers, _) = fed(&["scheduler-sweep.json"]).await;
    assert_eq!(answers[0]["settled"], 0, "{answers:?}");
}

#[tokio::test]
async fn the_schedules_other_event_compares_the_books() {
    let (answers, _) = fed(&["scheduler-reconcile.json"]).await;
    assert_eq!(answers[0]["differ"], 0, "{answers:?}");
}

#[tokio::test]
async fn the_schedules_third_event_removes_tenants_whose_time_has_come() {
    let (answers, _) = fed(&["scheduler-purge.json"]).await;
    assert_eq!((&answers[0]["tenants"], &answers[0]["unfinished"]), (&json!(0), &json!(false)), "{answers:?}");
}

#[tokio::test]
async fn an_event_that_is_none_is_an_error_of_the_function_and_not_its_end() {
    let ground = Ground::new();
    let mut function = ground.function("aggregate");
    let error = function.invoke(&json!({"task": "swept"})).await.unwrap().error.unwrap();
    assert!(error.body.contains("there is no task `swept`"), "{error:?}");
    let answer = function.invoke(&event("scheduler-sweep.json")).await.unwrap();
    assert_eq!(answer.error, None);
}
