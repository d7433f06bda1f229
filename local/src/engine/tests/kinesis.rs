//! Kinesis: what a restart keeps.

use std::{fs::OpenOptions, io::Write, path::Path};

use aws_sdk_kinesis::{Client, primitives::Blob, types::ShardIteratorType};

use super::{kinesis_client, open};

pub(super) const STREAM: &str = "usage";

pub(super) async fn stream(client: &Client) {
    client.create_stream().stream_name(STREAM).shard_count(1).send().await.expect("stream");
}

pub(super) async fn put(client: &Client, data: &str) -> String {
    client
        .put_record()
        .stream_name(STREAM)
        .partition_key(data)
        .data(Blob::new(data))
        .send()
        .await
        .expect("put")
        .sequence_number
}

async fn records(client: &Client) -> Vec<String> {
    let mut found = Vec::new();
    let shards = client.list_shards().stream_name(STREAM).send().await.expect("shards");
    for shard in shards.shards() {
        let iterator = client
            .get_shard_iterator()
            .stream_name(STREAM)
            .shard_id(shard.shard_id())
            .shard_iterator_type(ShardIteratorType::TrimHorizon)
            .send()
            .await
            .expect("iterator");
        let page = client.get_records().set_shard_iterator(iterator.shard_iterator).send().await.expect("records");
        found.extend(page.records().iter().map(|record| String::from_utf8_lossy(record.data().as_ref()).into_owned()));
    }
    found
}

fn log_size(dir: &Path) -> u64 {
    dir.join("records.log").metadata().expect("log").len()
}

#[tokio::test]
async fn records_not_acknowledged_are_replayed_after_a_restart() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    put(&client, "first").await;
    let second = put(&client, "second").await;
    put(&client, "third").await;
    engines.kinesis().acknowledge(STREAM, "shardId-000000000000", &second).await;
    engines.shutdown().await;
    let engines = open(dir.path()).await;
    assert_eq!(records(&kinesis_client(&engines)).await, ["third"]);
}

#[tokio::test]
async fn log_is_empty_once_everything_is_acknowledged() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    put(&client, "first").await;
    let last = put(&client, "last").await;
    assert!(log_size(dir.path()) > 0);
    engines.kinesis().acknowledge(STREAM, "shardId-000000000000", &last).await;
    assert_eq!(log_size(dir.path()), 0);
    assert_eq!(records(&client).await, ["first", "last"], "still readable");
}

#[tokio::test]
async fn torn_tail_of_the_log_is_dropped() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    put(&client, "whole").await;
    put(&client, "torn").await;
    engines.shutdown().await;
    let path = dir.path().join("records.log");
    let log = OpenOptions::new().write(true).open(&path).expect("log");
    log.set_len(log_size(dir.path()) - 3).expect("tear");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    assert_eq!(records(&client).await, ["whole"]);
    put(&client, "after").await;
    engines.shutdown().await;
    let mut log = OpenOptions::new().append(true).open(&path).expect("log");
    log.write_all(&[200, 0, 0, 0, 1, 2, 3, 4, 5, 6]).expect("garbage");
    let engines = open(dir.path()).await;
    assert_eq!(records(&kinesis_client(&engines)).await, ["whole", "after"]);
}

#[tokio::test]
async fn log_stays_bounded_under_constant_load() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    let data = "x".repeat(900_000);
    let mut previous = None;
    for _ in 0..40 {
        let sequence = client
            .put_record()
            .stream_name(STREAM)
            .partition_key("key")
            .data(Blob::new(data.as_str()))
            .send()
            .await
            .expect("put")
            .sequence_number;
        // Always one behind, so that the log is never empty.
        if let Some(previous) = previous.replace(sequence) {
            engines.kinesis().acknowledge(STREAM, "shardId-000000000000", &previous).await;
        }
    }
    let older = dir.path().join("records.old.log").metadata().map_or(0, |file| file.len());
    assert!(log_size(dir.path()) + older < 20 * 1024 * 1024);
}

#[tokio::test]
async fn resharded_stream_keeps_its_shards_over_a_restart() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    split(&client).await;
    put(&client, "late").await;
    engines.shutdown().await;
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    let shards = client.list_shards().stream_name(STREAM).send().await.expect("shards");
    assert_eq!(shards.shards().len(), 3);
    assert_eq!(records(&client).await, ["late"]);
}

pub(super) async fn split(client: &Client) {
    client
        .split_shard()
        .stream_name(STREAM)
        .shard_to_split("shardId-000000000000")
        .new_starting_hash_key((1_u128 << 127).to_string())
        .send()
        .await
        .expect("split");
}
