//! The little that is read of the bodies that pass through: where records went, and what the engine needs added.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::record_log::Position;
use crate::engine::wire::Reply;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRequest {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct PutResponse {
    shard_id: Option<String>,
    sequence_number: Option<String>,
    records: Vec<PutResponse>,
}

/// Where the engine put the records of a request; those that it refused are the producer's to repeat.
pub(super) fn positions(body: &[u8], reply: &Reply) -> Vec<Position> {
    let Ok(request) = serde_json::from_slice::<PutRequest>(body) else {
        return Vec::new();
    };
    let by_arn = || request.stream_arn.as_deref()?.split_once(":stream/").map(|(_, name)| name);
    let Some(stream) = request.stream_name.as_deref().or_else(by_arn) else {
        return Vec::new();
    };
    let stream: Arc<str> = stream.into();
    let Ok(mut response) = serde_json::from_slice::<PutResponse>(&reply.body) else {
        return Vec::new();
    };
    let mut records = std::mem::take(&mut response.records);
    records.push(response);
    let position = |record: PutResponse| {
        Some(Position { stream: Arc::clone(&stream), shard: record.shard_id?, sequence: record.sequence_number? })
    };
    records.into_iter().filter_map(position).collect()
}

/// The key under which the engine stores a record: the shard's number in hexadecimal and the sequence number.
pub(super) fn storage_key(position: &Position) -> Option<String> {
    let number: u32 = position.shard.strip_prefix("shardId-")?.parse().ok()?;
    Some(format!("{number:08x}/{}", position.sequence))
}

/// An on-demand stream names no number of shards, which the engine cannot do without.
pub(super) fn with_shard_count(operation: &str, body: Bytes) -> Bytes {
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(mut request)) if operation == "CreateStream" && !request.contains_key("ShardCount") => {
            request.insert("ShardCount".to_owned(), json!(1));
            Value::Object(request).to_string().into()
        }
        _ => body,
    }
}
