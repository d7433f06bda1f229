//! What goes on behind the requests: the `aggregate` function counts, and sweeps.

use serde::Serialize;
use serde_json::{Value, json};

use super::requests::as_text;
use super::tally::Tally;
use super::{Outcome, Scene, items};
use crate::lambda::{Answer, Function, event};

/// Before anything is counted.
const WARM_UP: u32 = 5;

/// Counting ten seconds of a tenant again, and the hour, day and month around them.
#[derive(Debug, Clone, Serialize)]
pub struct Aggregation {
    #[serde(serialize_with = "as_text")]
    pub(super) cpu_ms: f64,
    /// Calls for one bucket: it, its hour, day and month are read and put.
    #[serde(serialize_with = "as_text")]
    pub(super) table_calls: f64,
    /// An entry of the ledger as an item.
    #[serde(serialize_with = "as_text")]
    pub(super) entry_bytes: f64,
    /// A total as an item.
    #[serde(serialize_with = "as_text")]
    pub(super) total_bytes: f64,
}

/// Sweeping one tenant that is active.
#[derive(Debug, Clone, Serialize)]
pub struct Sweep {
    #[serde(serialize_with = "as_text")]
    pub(super) cpu_ms: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) table_calls: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) read_units: f64,
}

/// Measures both, after requests have filled the ledger and the stream.
pub(super) async fn measure(scene: &Scene) -> Outcome<(Aggregation, Sweep)> {
    let counted = repeated(scene, "counting", &batch(&items::latest_record(&scene.engines)?)).await?;
    let swept = repeated(scene, "sweeping", &event("scheduler-sweep.json")).await?;
    let aggregation = Aggregation {
        cpu_ms: counted.cpu.as_secs_f64() * 1e3,
        table_calls: counted.table_calls,
        entry_bytes: items::ledger(&scene.engines)?.average(),
        total_bytes: items::totals(&scene.engines)?.average(),
    };
    let sweep =
        Sweep { cpu_ms: swept.cpu.as_secs_f64() * 1e3, table_calls: swept.table_calls, read_units: swept.read_units };
    Ok((aggregation, sweep))
}

/// What the function takes for the same event, again and again: counting again writes the same totals again.
async fn repeated(scene: &Scene, caller: &str, event: &Value) -> Outcome<Tally> {
    let engines = &scene.engines;
    let mut function = engines.launch(scene.binaries.path("aggregate")?, caller).start()?;
    for _ in 0..WARM_UP {
        done(&function.invoke(event).await?, &function)?;
    }
    let before = Tally::of(engines, &function, caller)?;
    for _ in 0..scene.count {
        done(&function.invoke(event).await?, &function)?;
    }
    Ok(Tally::of(engines, &function, caller)?.each(&before, scene.count))
}

fn done(answer: &Answer, function: &Function) -> Outcome<()> {
    let failures = answer.json()["batchItemFailures"].as_array().map_or(0, Vec::len);
    if answer.error.is_none() && failures == 0 {
        return Ok(());
    }
    Err(format!("{:?}, {failures} records failed\n{}", answer.error, function.log()).into())
}

/// A batch of this record alone, as the event source mapping hands it on.
fn batch(record: &Value) -> Value {
    let mut batch = event("kinesis-batch.json");
    let mut first = batch["Records"][0].take();
    for (name, value) in [("data", &record["Data"]), ("partitionKey", &record["PartitionKey"])] {
        first["kinesis"][name] = value.clone();
    }
    batch["Records"] = json!([first]);
    batch
}
