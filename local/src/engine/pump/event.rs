//! A record as Lambda would put it into a `KinesisEvent`.

use std::time::SystemTime;

use aws_lambda_events::{
    encodings::SecondTimestamp,
    event::kinesis::{KinesisEvent, KinesisEventRecord, KinesisRecord},
};
use aws_sdk_kinesis::types::Record;

/// The shard that records come from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub arn: String,
    pub shard: String,
    region: Option<String>,
}

impl Source {
    /// A shard of the stream with this ARN.
    pub fn new(arn: &str, shard: &str) -> Self {
        Self { arn: arn.to_owned(), shard: shard.to_owned(), region: arn.split(':').nth(3).map(str::to_owned) }
    }

    /// The event that Lambda would invoke the function with.
    pub fn event(&self, records: &[Record]) -> KinesisEvent {
        let mut event = KinesisEvent::default();
        event.records = records.iter().map(|record| self.record(record)).collect();
        event
    }

    /// One record of such an event.
    pub fn record(&self, record: &Record) -> KinesisEventRecord {
        let mut kinesis = KinesisRecord::default();
        let arrival = record.approximate_arrival_timestamp;
        if let Some(arrival) = arrival.and_then(|at| SystemTime::try_from(at).ok()) {
            kinesis.approximate_arrival_timestamp = SecondTimestamp(arrival.into());
        }
        kinesis.data.0 = record.data.as_ref().to_vec();
        kinesis.partition_key = record.partition_key.clone().unwrap_or_default();
        kinesis.sequence_number.clone_from(&record.sequence_number);
        kinesis.kinesis_schema_version = Some("1.0".to_owned());
        let mut event = KinesisEventRecord::default();
        event.aws_region.clone_from(&self.region);
        event.event_id = Some(format!("{}:{}", self.shard, record.sequence_number));
        event.event_name = Some("aws:kinesis:record".to_owned());
        event.event_source = Some("aws:kinesis".to_owned());
        event.event_source_arn = Some(self.arn.clone());
        event.event_version = Some("1.0".to_owned());
        event.kinesis = kinesis;
        event
    }
}
