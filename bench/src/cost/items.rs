//! What is in the table and in the stream, and how large it is.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, json};

use super::requests::as_text;
use super::tally::float;
use super::{Outcome, Scene, wire};
use crate::lambda::{Engines, HttpEvent};

/// Requests that are held at once to see what a hold adds to the meter.
const HELD: u32 = 4;

/// How many there are, and their bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Size {
    pub number: f64,
    pub bytes: f64,
}

impl Size {
    /// What was added since `before`.
    pub fn since(self, before: Self) -> Self {
        Self { number: self.number - before.number, bytes: self.bytes - before.bytes }
    }

    /// An average one.
    pub fn average(self) -> f64 {
        if self.number > 0.0 { self.bytes / self.number } else { 0.0 }
    }
}

/// A tenant's meter as an item of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Meter {
    /// Without a request in flight.
    #[serde(serialize_with = "as_text")]
    pub(super) bytes: f64,
    /// What each request in flight adds.
    #[serde(serialize_with = "as_text")]
    pub(super) hold_bytes: f64,
}

/// The ledger's entries.
pub fn ledger(engines: &Engines) -> Outcome<Size> {
    items(engines, |pk, _| pk.contains("#LEDGER#"))
}

/// Totals of ten seconds, hours, days and months.
pub fn totals(engines: &Engines) -> Outcome<Size> {
    items(engines, |pk, _| pk.ends_with("#TOTALS"))
}

/// Measures the meter with and without requests in flight.
pub async fn meter(scene: &Scene) -> Outcome<Meter> {
    let engines = &scene.engines;
    let size = || items(engines, |_, sk| sk.starts_with("METER#")).map(|meters| meters.bytes);
    let bytes = size()?;
    let event = HttpEvent::file("apigw-query.json").key(engines.key());
    let event = event.body(&json!({"query": "[[delay=3s]]", "max_tokens": 20}));
    let mut functions = Vec::new();
    for _ in 0..HELD {
        functions.push(engines.launch(scene.binaries.path("query")?, "held").start()?);
    }
    let held: Vec<_> = functions.iter().map(|function| function.open(&event)).collect();
    let asked = scene.standin.stats().requests;
    while scene.standin.stats().in_flight < u64::from(HELD) {
        if scene.standin.stats().requests > asked + u64::from(HELD) {
            return Err("the requests in flight were not held long enough".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let hold_bytes = (size()? - bytes) / f64::from(HELD);
    for invocation in held {
        invocation.answer().await;
    }
    Ok(Meter { bytes, hold_bytes })
}

/// Every record of the stream.
pub fn records(engines: &Engines) -> Outcome<Size> {
    let mut size = Size::default();
    for record in all_records(engines)? {
        let key = record["PartitionKey"].as_str().unwrap_or_default();
        let data = STANDARD.decode(record["Data"].as_str().unwrap_or_default())?;
        size.number += 1.0;
        // Kinesis counts the partition key, too.
        size.bytes += float(data.len() + key.len());
    }
    Ok(size)
}

/// The latest record.
pub fn latest_record(engines: &Engines) -> Outcome<Value> {
    let latest = all_records(engines)?.into_iter().max_by(|one, other| {
        let at = |record: &Value| record["ApproximateArrivalTimestamp"].as_f64().unwrap_or_default();
        at(one).total_cmp(&at(other))
    });
    latest.ok_or_else(|| "the stream has no record".into())
}

fn all_records(engines: &Engines) -> Outcome<Vec<Value>> {
    let call = |operation: &str, body: Value| wire::operation(engines, &format!("Kinesis_20131202.{operation}"), &body);
    let stream = wire::variable(engines, "LMO_STREAM");
    let mut records = Vec::new();
    let shards = call("ListShards", json!({"StreamName": stream}))?;
    for shard in shards["Shards"].as_array().into_iter().flatten() {
        let from = json!({"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"});
        let mut iterator = call("GetShardIterator", from)?["ShardIterator"].take();
        loop {
            let page = call("GetRecords", json!({"ShardIterator": iterator, "Limit": 10_000}))?;
            let found = page["Records"].as_array().cloned().unwrap_or_default();
            if found.is_empty() {
                break;
            }
            records.extend(found);
            iterator = page["NextShardIterator"].clone();
        }
    }
    Ok(records)
}

fn items(engines: &Engines, wanted: impl Fn(&str, &str) -> bool) -> Outcome<Size> {
    let mut size = Size::default();
    let (table, mut from) = (wire::variable(engines, "LMO_TABLE"), Value::Null);
    loop {
        let mut scan = json!({"TableName": table});
        if !from.is_null() {
            scan["ExclusiveStartKey"] = from;
        }
        let page = wire::operation(engines, "DynamoDB_20120810.Scan", &scan)?;
        for item in page["Items"].as_array().into_iter().flatten() {
            let key = |name: &str| item[name]["S"].as_str().unwrap_or_default();
            if wanted(key("pk"), key("sk")) {
                size.number += 1.0;
                size.bytes += float(item_size(item));
            }
        }
        from = page["LastEvaluatedKey"].clone();
        if from.is_null() {
            return Ok(size);
        }
    }
}

/// What an item counts ("DynamoDB item sizes and formats" of its developer guide): names and values in UTF-8, a number
/// two digits a byte and one more, a list or map three bytes and one for each part.
fn item_size(item: &Value) -> usize {
    item.as_object().into_iter().flatten().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else { return 0 };
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => text.len(),
        ("N", Value::String(number)) => digits(number).div_ceil(2) + 1,
        ("B", Value::String(bytes)) => STANDARD.decode(bytes).map_or(0, |bytes| bytes.len()),
        ("M", map @ Value::Object(parts)) => 3 + parts.len() + item_size(map),
        ("L", Value::Array(parts)) => 3 + parts.len() + parts.iter().map(value_size).sum::<usize>(),
        ("SS", Value::Array(texts)) => texts.iter().map(|text| text.as_str().map_or(0, str::len)).sum(),
        _ => 1,
    }
}

/// Those that count: without zeros at either end.
fn digits(number: &str) -> usize {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').trim_end_matches('0').len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_counts_names_and_values() {
        // "pk" 2 + "a" 1; "n" 1 + (3 digits: 2) + 1; "m" 1 + 3 + 1 + ("x" 1 + true 1)
        let item = json!({"pk": {"S": "a"}, "n": {"N": "12300"}, "m": {"M": {"x": {"BOOL": true}}}});
        assert_eq!(item_size(&item), 3 + 4 + 7);
    }

    #[test]
    fn an_average_of_nothing_is_nothing() {
        let size = Size { number: 4.0, bytes: 10.0 }.since(Size { number: 2.0, bytes: 4.0 });
        assert_eq!((size.average(), Size::default().average()), (3.0, 0.0));
    }
}
