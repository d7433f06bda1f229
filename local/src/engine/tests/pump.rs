//! The pump: delivery, partial failures, poison, resharding.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lambda_events::event::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use aws_sdk_kinesis::Client;
use tokio::{task::JoinHandle, time};
use tokio_util::sync::CancellationToken;

use super::{
    kinesis::{STREAM, put, split, stream},
    kinesis_client, open,
};
use crate::engine::{Engines, Pump};

type Seen = Arc<Mutex<BTreeSet<String>>>;
type Answer = Result<KinesisEventResponse, String>;

struct Run {
    seen: Seen,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Run {
    /// Runs a pump whose handler decides with `verdict` about each batch, given as texts.
    fn start<V>(engines: &Engines, dir: &Path, verdict: V) -> Self
    where
        V: Fn(&KinesisEvent, &[String]) -> Answer + Send + Sync + 'static,
    {
        let (seen, shutdown) = (Seen::default(), CancellationToken::new());
        let pump = Pump::new(kinesis_client(engines), STREAM, dir.join("failed-events.jsonl"))
            .acknowledging(engines.kinesis())
            .retrying(3, Duration::from_millis(1));
        let (noted, verdict) = (Arc::clone(&seen), Arc::new(verdict));
        let handler = move |event: KinesisEvent| {
            let (noted, verdict) = (Arc::clone(&noted), Arc::clone(&verdict));
            async move {
                let texts: Vec<_> = event
                    .records
                    .iter()
                    .map(|record| String::from_utf8_lossy(&record.kinesis.data).into_owned())
                    .collect();
                let answer = verdict(&event, &texts)?;
                let failed = &answer.batch_item_failures;
                let first = failed.first().and_then(|item| item.item_identifier.clone());
                let delivered = event
                    .records
                    .iter()
                    .zip(texts)
                    .take_while(|(record, _)| Some(&record.kinesis.sequence_number) != first.as_ref());
                noted.lock().expect("lock").extend(delivered.map(|(_, text)| text));
                Ok::<_, String>(answer)
            }
        };
        let task = tokio::spawn(pump.run(handler, shutdown.clone()));
        Self { seen, shutdown, task }
    }

    async fn until(&self, count: usize) {
        let reached = async {
            while self.seen.lock().expect("lock").len() < count {
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        let reached = time::timeout(Duration::from_secs(20), reached).await;
        assert!(reached.is_ok(), "saw only {:?}", self.seen.lock().expect("lock"));
    }

    async fn stop(self) -> BTreeSet<String> {
        self.shutdown.cancel();
        self.task.await.expect("pump");
        self.seen.lock().expect("lock").clone()
    }
}

fn fine() -> KinesisEventResponse {
    KinesisEventResponse::default()
}

fn is_poison(text: &String) -> bool {
    text == "poison"
}

async fn put_with_poison(client: &Client) {
    for n in 0..20 {
        put(client, &format!("sound-{n}")).await;
        if n == 10 {
            put(client, "poison").await;
        }
    }
}

fn failed_events(dir: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join("failed-events.jsonl")).expect("failures");
    text.lines().map(|line| serde_json::from_str(line).expect("json")).collect()
}

#[tokio::test]
async fn event_is_what_lambda_would_send() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    let sequence = put(&client, "text").await;
    let run = Run::start(&engines, dir.path(), move |event, _| {
        let arrival = &event.records[0].kinesis.approximate_arrival_timestamp;
        assert!(arrival.timestamp() > 1_700_000_000, "{arrival:?}");
        let event = serde_json::to_value(event).expect("json");
        let record = &event["Records"][0];
        assert_eq!(record["eventSource"], "aws:kinesis");
        assert_eq!(record["eventID"], format!("shardId-000000000000:{sequence}"));
        assert_eq!(record["awsRegion"], "us-east-1");
        assert_eq!(record["kinesis"]["data"], "dGV4dA==");
        assert_eq!(record["kinesis"]["partitionKey"], "text");
        assert_eq!(record["kinesis"]["sequenceNumber"], sequence);
        Ok(fine())
    });
    run.until(1).await;
    run.stop().await;
}

#[tokio::test]
async fn poison_that_fails_its_batch_goes_to_the_file_and_the_rest_is_delivered() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    put_with_poison(&client).await;
    let run = Run::start(&engines, dir.path(), |_, texts| {
        if texts.iter().any(is_poison) {
            return Err("cannot read it".to_owned());
        }
        Ok(fine())
    });
    run.until(20).await;
    let seen = run.stop().await;
    assert!(!seen.contains("poison"));
    let failed = failed_events(dir.path());
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["record"]["kinesis"]["partitionKey"], "poison");
    assert_eq!(failed[0]["reason"], "cannot read it");
    assert_eq!(failed[0]["requestContext"]["approximateInvokeCount"], 3);
}

#[tokio::test]
async fn poison_that_is_named_goes_to_the_file_and_the_rest_is_delivered() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    put_with_poison(&client).await;
    let run = Run::start(&engines, dir.path(), |event, texts| {
        let mut answer = KinesisEventResponse::default();
        for (record, text) in event.records.iter().zip(texts) {
            if is_poison(text) {
                answer.add_failure(record.kinesis.sequence_number.clone());
            }
        }
        Ok(answer)
    });
    run.until(20).await;
    run.stop().await;
    assert_eq!(failed_events(dir.path()).len(), 1);
}

#[tokio::test]
async fn panic_of_the_handler_is_a_failure_like_any_other() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    put_with_poison(&client).await;
    let run = Run::start(&engines, dir.path(), |_, texts| {
        assert!(!texts.iter().any(is_poison), "a bug");
        Ok(fine())
    });
    run.until(20).await;
    run.stop().await;
    assert_eq!(failed_events(dir.path()).len(), 1);
}

#[tokio::test]
async fn resharded_stream_loses_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    let run = Run::start(&engines, dir.path(), |_, _| Ok(fine()));
    for n in 0..20 {
        put(&client, &format!("before-{n}")).await;
    }
    split(&client).await;
    for n in 0..20 {
        put(&client, &format!("after-{n}")).await;
    }
    run.until(40).await;
    run.stop().await;
    let log = dir.path().join("records.log").metadata().expect("log").len();
    assert_eq!(log, 0, "all shards are acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_producers_lose_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    let run = Run::start(&engines, dir.path(), |_, _| Ok(fine()));
    let mut producers = tokio::task::JoinSet::new();
    for producer in 0..8 {
        let client = client.clone();
        producers.spawn(async move {
            for n in 0..250 {
                put(&client, &format!("{producer}-{n}")).await;
            }
        });
    }
    producers.join_all().await;
    run.until(2000).await;
    run.stop().await;
}

#[tokio::test]
async fn shutdown_delivers_what_is_there() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    put(&client, "early").await;
    let run = Run::start(&engines, dir.path(), |_, _| Ok(fine()));
    run.until(1).await;
    for n in 0..50 {
        put(&client, &format!("late-{n}")).await;
    }
    assert_eq!(run.stop().await.len(), 51);
}

#[tokio::test]
async fn stream_that_comes_later_is_read() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let run = Run::start(&engines, dir.path(), |_, _| Ok(fine()));
    time::sleep(Duration::from_millis(50)).await;
    let client = kinesis_client(&engines);
    stream(&client).await;
    put(&client, "text").await;
    run.until(1).await;
    run.stop().await;
}
