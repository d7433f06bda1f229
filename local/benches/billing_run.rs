//! A billing run over many tenants on the embedded database: what it takes in calls and capacity units, and, in a second run
//! in which nobody counts, in processor time. Prints what was measured as `docs/measured-billing.toml` has it.
//!
//! One tenant is made and counted as every one is; the others are copies of its items under ids of their own.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where it unwraps")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/cpu.rs"]
#[expect(dead_code, reason = "what the database takes is of interest elsewhere")]
mod cpu;
#[path = "../tests/shared/month.rs"]
#[expect(dead_code, reason = "the rest is for tests")]
mod month;
#[path = "support/platform.rs"]
mod platform;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use bytes::Bytes;
use counting::{Counting, Used};
use cpu::Cpu;
use futures_util::{StreamExt, stream};
use lmo_local::{engine::Engines, resources};
use lmo_shared::{
    billing::run::{FOREVER, Others, RunState},
    clock::{Clock, Period, Timestamp},
    config::variable,
    id::TenantId,
    platform::Platform,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const TENANTS: usize = 100_000;
/// What each has asked in the month.
const REQUESTS: usize = 20;
/// In the run that processor time is read off.
const UNCOUNTED: usize = 5_000;
/// The most items in one write.
const BATCH: usize = 25;
const AT_ONCE: usize = 16;

/// A database with tenants whose month is over.
struct Ground {
    platform: Platform,
    counting: Counting,
    engines: Engines,
    month: Period,
    tenants: usize,
    _dir: TempDir,
}

/// One pass over all tenants.
struct Pass {
    used: BTreeMap<String, Used>,
    seconds: f64,
    cpu_seconds: f64,
}

#[tokio::main]
async fn main() {
    let tenants = variable("LMO_BENCH_TENANTS").map_or(TENANTS, |text| text.parse().expect("a number"));
    let ground = Ground::with(tenants).await;
    let client = SharedHttpClient::new(ground.counting.clone());
    let counted = ground.run(&client).await;
    let uncounted = Ground::with(tenants.min(UNCOUNTED)).await;
    let timed = uncounted.run(&uncounted.engines.http_client()).await;
    println!(
        "# What a billing run takes for each tenant. Written by `cargo bench -p lmo --bench billing_run`, not by hand; the"
    );
    println!("# fields are explained in xtask/src/cost/billing.rs.\n\n[run]");
    println!("date = \"{}\"", &Clock::System.now().to_string()[..10]);
    for (field, name) in
        [("commit", "LMO_BENCH_COMMIT"), ("machine", "LMO_BENCH_MACHINE"), ("build", "LMO_BENCH_BUILD")]
    {
        println!("{field} = \"{}\"", variable(name).unwrap_or_default());
    }
    println!("tenants = {tenants}\nentries = {REQUESTS}\n");
    for (name, (pass, time)) in ["drafts", "finalise"].into_iter().zip(counted.iter().zip(&timed)) {
        let each = |value: f64| format!("\"{:.4}\"", value / tenants as f64);
        let sum = |of: fn(&Used) -> f64| each(pass.used.values().map(of).sum());
        println!("[{name}]");
        println!("cpu_ms = \"{:.3}\"", time.cpu_seconds * 1e3 / uncounted.tenants as f64);
        println!("table_calls = {}", sum(|used| used.calls as f64));
        println!("read_units = {}", sum(|used| used.read_units));
        println!("write_units = {}", sum(|used| used.write_units));
        println!("# {:.0} s here, counted; by operation, for each tenant:", pass.seconds);
        for (operation, Used { calls, read_units, write_units }) in &pass.used {
            let [calls, read, write] = [*calls as f64, *read_units, *write_units].map(|value| value / tenants as f64);
            println!("# {operation}: {calls:.3} calls, {read:.3} read units, {write:.3} write units");
        }
        println!();
    }
}

impl Ground {
    /// With so many tenants, all but the first of which are copies.
    async fn with(tenants: usize) -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a folder");
        let engines = Engines::open(dir.path()).await.expect("engines");
        let month = Period::parse("2035-10").expect("a month");
        let platform = platform::on(&engines, Clock::manual(month.start()));
        resources::create(&platform).await.expect("a table");
        month::open_shop(&platform).await;
        let first = month::plant_busy(&platform, month, 1, REQUESTS).await.remove(0);
        let counting = Counting::new(engines.http_client());
        let ground = Self { platform, counting, engines, month, tenants, _dir: dir };
        ground.copy(first).await;
        ground
    }

    async fn copy(&self, first: TenantId) {
        let (table, text) = (self.platform.table().name(), first.to_string());
        let all = self.raw("Scan", &json!({"TableName": table})).await;
        let items = all["Items"].as_array().expect("items").iter().map(Value::to_string);
        let items: Vec<_> = items.filter(|item| item.contains(&text)).collect();
        let made =
            |number: usize| TenantId::new(first.made_at().after(Duration::from_millis(number as u64))).to_string();
        let copies = (1..self.tenants).flat_map(|number| {
            let id = made(number);
            items.iter().map(|item| item.replace(&text, &id)).collect::<Vec<_>>()
        });
        stream::iter(copies)
            .chunks(BATCH)
            .map(|batch| {
                let puts: Vec<_> = batch.iter().map(|item| format!("{{\"PutRequest\":{{\"Item\":{item}}}}}")).collect();
                let body = format!("{{\"RequestItems\":{{\"{table}\":[{}]}}}}", puts.join(","));
                async move { self.engines.answer("DynamoDB_20120810.BatchWriteItem", TYPE, Bytes::from(body)).await }
            })
            .buffer_unordered(AT_ONCE)
            .for_each(async |reply| assert!(reply.is_success(), "{:?}", reply.body))
            .await;
    }

    async fn raw(&self, operation: &str, body: &Value) -> Value {
        let target = format!("DynamoDB_20120810.{operation}");
        let reply = self.engines.answer(&target, TYPE, Bytes::from(body.to_string())).await;
        serde_json::from_slice(&reply.body).expect("JSON")
    }

    /// Both passes: when the month is over, and when its grace period is.
    async fn run(&self, network: &SharedHttpClient) -> [Pass; 2] {
        let clock = Clock::manual(self.month.end());
        let platform = platform::over(network.clone(), clock.clone());
        let drafts = self.pass(&platform, self.month.end().after(Duration::from_hours(3))).await;
        let finalise = self.pass(&platform, self.month.end().after(Duration::from_hours(24))).await;
        let progress = platform.runs().progress(self.month).await.expect("a run");
        assert_eq!((progress.status, progress.counts.finalised), (RunState::Finished, self.tenants as u64));
        [drafts, finalise]
    }

    async fn pass(&self, platform: &Platform, at: Timestamp) -> Pass {
        month::set(platform.clock(), at);
        drop(self.counting.take());
        let (began, before) = (Instant::now(), Cpu::used());
        let runs = platform.runs().tick(Others::AreDead, FOREVER).await.expect("a run");
        assert_eq!(runs[0].counts.tenants(), self.tenants as u64);
        let cpu_seconds = Cpu::used().others - before.others;
        Pass { used: self.counting.take(), seconds: began.elapsed().as_secs_f64(), cpu_seconds }
    }
}

const TYPE: &str = "application/x-amz-json-1.0";
