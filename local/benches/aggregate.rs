//! How many usage events a core counts: a ledger of 50,000 requests in 100 seconds of five tenants, and its events in
//! batches as Lambda makes them. Prints one line of JSON.
//! Before it, the embedded database's own rate, in another.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

#[path = "support/cpu.rs"]
mod cpu;
#[path = "support/engine_rate.rs"]
mod engine_rate;
#[path = "support/platform.rs"]
mod platform;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use aws_lambda_events::event::kinesis::{KinesisEvent, KinesisEventRecord};
use futures_util::{StreamExt, stream};
use lmo_local::{engine::Engines, resources};
use lmo_shared::{
    clock::{Clock, Period, Timestamp},
    id::{KeyId, RequestId, TenantId},
    llm::Usage,
    money::{NanoUsd, Tokens},
    platform::Platform,
    usage::{Entry, Ledger, Outcome, UsageEvent, expires_at},
};
use serde_json::json;
use tempfile::TempDir;

use cpu::Cpu;

const TENANTS: u64 = 5;
const REQUESTS: u64 = 50_000;
const A_SECOND: u64 = 500;
/// Records in a batch; Lambda makes them of up to 10,000.
const BATCHES: [usize; 3] = [1_000, 5_000, 10_000];

struct Request {
    tenant: TenantId,
    id: RequestId,
}

#[tokio::main]
async fn main() {
    println!("{}", engine_rate::measure().await);
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a folder");
    let engines = Engines::open(dir.path()).await.expect("engines");
    let start = Timestamp::parse("2035-11-22T10:00:00Z").expect("a time");
    let clock = Clock::manual(start.after(Duration::from_secs(REQUESTS / A_SECOND)));
    let platform = platform::on(&engines, clock);
    resources::create(&platform).await.expect("a table");
    let tenants: Vec<_> = (0..TENANTS).map(|_| TenantId::new(start)).collect();
    let requests: Vec<_> = (0..REQUESTS)
        .map(|number| Request {
            tenant: tenants[usize::try_from(number % TENANTS).expect("few")],
            id: RequestId::new(start.after(Duration::from_millis(number * 1000 / A_SECOND))),
        })
        .collect();
    fill(&platform, &requests, start).await;
    let aggregator = platform.aggregator();
    let mut results = Vec::new();
    for size in BATCHES {
        let batches: Vec<_> = requests.chunks(size).map(batch).collect();
        let (began, before) = (Instant::now(), Cpu::used());
        for batch in batches {
            let response = lmo_aggregate::count(&aggregator, batch).await;
            assert!(response.batch_item_failures.is_empty(), "a batch failed");
        }
        let (wall, used) = (began.elapsed().as_secs_f64(), Cpu::used());
        let handler = used.others - before.others;
        let rate = |seconds: f64| (50_000.0 / seconds).round();
        results.push(json!({
            "batch": size,
            "events_per_second": rate(wall),
            "events_per_second_of_the_handlers_core": rate(handler),
            "events_per_second_of_all_cores": rate(handler + used.database - before.database),
        }));
    }
    let mut counted = 0;
    for tenant in tenants {
        let total = aggregator.total(tenant, Period::month(start)).await.expect("a total").unwrap_or_default();
        counted += total.n;
    }
    assert_eq!(counted, REQUESTS, "not all requests are counted");
    println!("{}", json!({ "benchmark": "aggregate", "requests": REQUESTS, "tenants": TENANTS, "results": results }));
    engines.shutdown().await;
}

async fn fill(platform: &Platform, requests: &[Request], start: Timestamp) {
    let ledger = Ledger::new(platform.table().clone());
    let keys: Vec<_> = (0..4).map(|_| KeyId::new(start)).collect();
    let record = |(number, request): (usize, &Request)| {
        let (ledger, tenant, id) = (ledger.clone(), request.tenant, request.id);
        let entry = entry(id, keys[number % keys.len()], number);
        async move { ledger.record(tenant, id, entry).await.expect("an entry") }
    };
    stream::iter(requests.iter().enumerate().map(record)).buffer_unordered(500).for_each(async |_| {}).await;
}

fn batch(requests: &[Request]) -> KinesisEvent {
    let mut event = KinesisEvent::default();
    let record = |(number, request): (usize, &Request)| {
        let mut record = KinesisEventRecord::default();
        record.kinesis.sequence_number = format!("4959{number:052}");
        record.kinesis.data.0 = serde_json::to_vec(&UsageEvent::of(request.tenant, request.id)).expect("an event");
        record
    };
    event.records = requests.iter().enumerate().map(record).collect();
    event
}

fn entry(id: RequestId, key: KeyId, number: usize) -> Entry {
    let tokens = Tokens(u64::try_from(number % 900).expect("few"));
    Entry {
        key,
        model: ["openai/gpt-large", "openai/gpt-small", "anthropic/claude-large"][number % 3].to_owned(),
        prices: "V#2061234567890".to_owned(),
        usage: Usage { input_tokens: tokens, output_tokens: tokens, ..Usage::default() },
        nano_usd: NanoUsd(tokens.0 * 750),
        byok: false,
        estimated: false,
        unbilled: Tokens::ZERO,
        outcome: Outcome::Answered,
        attempts: 1,
        failed_attempts: Vec::new(),
        first_ms: Some(312),
        total_ms: 2480,
        expires_at: expires_at(id),
    }
}
