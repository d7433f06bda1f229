//! The embedded database's own rate, through the SDK, on the disk, every commit synced: what the platform on a laptop
//! can't go beyond.

use std::time::Instant;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, stream};
use lmo_local::engine::Engines;
use lmo_shared::{clock::Clock, platform::Platform};
use serde_json::{Value, json};
use tempfile::TempDir;

const WRITES: u64 = 4_000;

/// Puts of distinct items and conditional updates of one item per second, by 1 and by 16 clients at once.
pub async fn measure() -> Value {
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let engines = Engines::open(dir.path()).await.expect("engines");
    let platform = super::platform::on(&engines, Clock::System);
    lmo_local::resources::create(&platform).await.expect("a table");
    let mut rates = Vec::new();
    for clients in [1, 16] {
        let puts = rate(clients, |number| put(&platform, clients, number)).await;
        let updates = rate(clients, |_| update(&platform)).await;
        rates.push(json!({"clients": clients, "puts_per_second": puts, "updates_of_one_item_per_second": updates}));
    }
    let writes = engines.writes();
    engines.shutdown().await;
    json!({"benchmark": "engine", "rates": rates, "writes": writes.operations, "commits": writes.commits})
}

async fn rate<F: Future<Output = ()>>(clients: usize, write: impl Fn(u64) -> F) -> f64 {
    let began = Instant::now();
    stream::iter((0..WRITES).map(&write)).buffer_unordered(clients).for_each(async |()| {}).await;
    (4_000.0 / began.elapsed().as_secs_f64()).round()
}

async fn put(platform: &Platform, clients: usize, number: u64) {
    let table = platform.table();
    let put = table.client().put_item().table_name(table.name());
    let put = put.item("pk", AttributeValue::S("RATE".to_owned()));
    let put = put.item("sk", AttributeValue::S(format!("{clients}#{number}")));
    let put = put.item("text", AttributeValue::S("x".repeat(300)));
    put.condition_expression("attribute_not_exists(pk)").send().await.expect("a put");
}

async fn update(platform: &Platform) {
    let table = platform.table();
    let update = table.client().update_item().table_name(table.name());
    let update = update.key("pk", AttributeValue::S("RATE".to_owned())).key("sk", AttributeValue::S("one".to_owned()));
    let update =
        update.update_expression("ADD n :one").expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
    update.send().await.expect("an update");
}
