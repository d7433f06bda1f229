//! What an event source mapping does: reads the stream and makes a Lambda event of its records.

use aws_sdk_kinesis::types::ShardIteratorType;
use lmo_bench::lambda::event;
use lmo_shared::platform::Platform;

use super::{Value, json};

const STREAM: &str = "lmo-usage";

/// All records of the usage stream, as the `aggregate` function gets them.
pub async fn kinesis_event(platform: &Platform) -> Value {
    let kinesis = platform.kinesis();
    let shards = kinesis.list_shards().stream_name(STREAM).send().await.unwrap();
    let mut records = Vec::new();
    for shard in shards.shards() {
        let begin = kinesis.get_shard_iterator().stream_name(STREAM).shard_id(shard.shard_id());
        let begin = begin.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
        let page = kinesis.get_records().shard_iterator(begin.shard_iterator().unwrap()).send().await.unwrap();
        assert_eq!(page.millis_behind_latest(), Some(0), "a test has one page of records");
        for record in page.records() {
            // The rest is as true as it gets without an account.
            let mut full = event("kinesis-batch.json")["Records"][0].clone();
            let sequence = record.sequence_number();
            full["kinesis"]["partitionKey"] = record.partition_key().into();
            full["kinesis"]["sequenceNumber"] = sequence.into();
            full["kinesis"]["data"] = base64(record.data().as_ref()).into();
            full["eventID"] = format!("{}:{sequence}", shard.shard_id()).into();
            records.push(full);
        }
    }
    json!({ "Records": records })
}

fn base64(data: &[u8]) -> String {
    aws_smithy_types::base64::encode(data)
}
