//! Lambda's Kinesis event source mapping, played on a laptop: reads a stream and hands its records to the aggregate function.
//!
//! Same contract as in AWS ("Using Lambda with Kinesis", developer guide): batches per shard in order, parents before
//! children, partial batch responses, bisecting, and a file in the place of the on-failure destination, so that poison
//! stops nobody. Delivery is at least once.

mod batch;
mod event;
mod failures;
mod pace;
mod reader;

use std::{collections::HashSet, fmt::Display, path::PathBuf, sync::Arc, time::Duration};

use aws_lambda_events::event::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use aws_sdk_kinesis::{Client, types::Shard};
use tokio::{task::JoinSet, time};
use tokio_util::sync::CancellationToken;

use self::{
    batch::Delivery,
    event::Source,
    failures::Failures,
    pace::Pace,
    reader::{End, Reader},
};
use super::kinesis::Kinesis;

/// How often new shards are looked for; a shard that ends is a reason to look at once.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const RETRY_AFTER: Duration = Duration::from_secs(1);
const DRAIN_FOR: Duration = Duration::from_secs(5);

/// Reads one stream and calls a handler with its records.
#[derive(Debug)]
pub struct Pump {
    client: Client,
    stream: String,
    failures: PathBuf,
    engine: Option<Kinesis>,
    tries: u32,
    backoff: Duration,
}

impl Pump {
    /// Reads `stream` through `client`; a record that cannot be handled ends up in the file `failures`.
    pub fn new(client: Client, stream: impl Into<String>, failures: impl Into<PathBuf>) -> Self {
        Self {
            client,
            stream: stream.into(),
            failures: failures.into(),
            engine: None,
            tries: 5,
            backoff: Duration::from_millis(100),
        }
    }

    /// Tells the embedded engine what was delivered, so that it need not keep it.
    #[must_use]
    pub fn acknowledging(mut self, engine: Kinesis) -> Self {
        self.engine = Some(engine);
        self
    }

    /// A single record is tried this many times, with waits of `backoff` that double; for tests, which cannot wait.
    #[cfg(test)]
    #[must_use]
    pub fn retrying(mut self, tries: u32, backoff: Duration) -> Self {
        self.tries = tries.max(1);
        self.backoff = backoff;
        self
    }

    /// Runs until `shutdown` is cancelled, then delivers what is there once more, for at most five seconds.
    pub async fn run<H, F, E>(self, handler: H, shutdown: CancellationToken)
    where
        H: Fn(KinesisEvent) -> F + Send + Sync + 'static,
        F: Future<Output = Result<KinesisEventResponse, E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let Some(arn) = self.arn(&shutdown).await else {
            return;
        };
        let handler = Arc::new(handler);
        let failures = Arc::new(Failures::new(self.failures.clone()));
        let pace = Arc::new(Pace::default());
        let (mut begun, mut ended) = (HashSet::new(), HashSet::new());
        let mut readers = JoinSet::new();
        while !shutdown.is_cancelled() {
            for shard in self.ready_shards(&begun, &ended).await {
                begun.insert(shard.clone());
                let delivery = Delivery {
                    source: Source::new(&arn, &shard),
                    handler: Arc::clone(&handler),
                    failures: Arc::clone(&failures),
                    tries: self.tries,
                    backoff: self.backoff,
                    shutdown: shutdown.clone(),
                };
                let reader = Reader {
                    client: self.client.clone(),
                    stream: self.stream.clone(),
                    shard: shard.clone(),
                    engine: self.engine.clone(),
                    pace: Arc::clone(&pace),
                    delivery,
                };
                readers.spawn(async move { (shard, reader.run().await) });
            }
            tokio::select! {
                Some(Ok((shard, end))) = readers.join_next(), if !readers.is_empty() => {
                    if end == End::OfShard {
                        ended.insert(shard);
                    }
                }
                () = time::sleep(LOOK_EVERY) => {}
                () = shutdown.cancelled() => {}
            }
        }
        let drained = async { while readers.join_next().await.is_some() {} };
        if time::timeout(DRAIN_FOR, drained).await.is_err() {
            tracing::warn!(stream = self.stream, "stopped before all records were delivered");
        }
    }

    async fn arn(&self, shutdown: &CancellationToken) -> Option<String> {
        while !shutdown.is_cancelled() {
            let described = self.client.describe_stream_summary().stream_name(&self.stream).send().await;
            match described.map(|answer| answer.stream_description_summary) {
                Ok(Some(summary)) => return Some(summary.stream_arn),
                Ok(None) => {}
                Err(error) => {
                    let error = error.into_service_error();
                    tracing::warn!(stream = self.stream, %error, "cannot read the stream yet");
                }
            }
            tokio::select! {
                () = time::sleep(RETRY_AFTER) => {}
                () = shutdown.cancelled() => {}
            }
        }
        None
    }

    /// The shards that nobody reads yet and whose parents have been read to their end.
    async fn ready_shards(&self, begun: &HashSet<String>, ended: &HashSet<String>) -> Vec<String> {
        let shards = match self.shards().await {
            Ok(shards) => shards,
            Err(error) => {
                let error = error.into_service_error();
                tracing::warn!(stream = self.stream, %error, "cannot list the shards");
                return Vec::new();
            }
        };
        let known: HashSet<_> = shards.iter().map(Shard::shard_id).collect();
        let read = |parent: Option<&str>| parent.is_none_or(|parent| ended.contains(parent) || !known.contains(parent));
        shards
            .iter()
            .filter(|shard| !begun.contains(shard.shard_id()))
            .filter(|shard| read(shard.parent_shard_id()) && read(shard.adjacent_parent_shard_id()))
            .map(|shard| shard.shard_id.clone())
            .collect()
    }

    async fn shards(
        &self,
    ) -> Result<Vec<Shard>, aws_sdk_kinesis::error::SdkError<aws_sdk_kinesis::operation::list_shards::ListShardsError>>
    {
        let mut shards = Vec::new();
        let mut page = self.client.list_shards().stream_name(&self.stream).send().await?;
        loop {
            shards.append(page.shards.get_or_insert_default());
            let Some(token) = page.next_token else {
                return Ok(shards);
            };
            page = self.client.list_shards().next_token(token).send().await?;
        }
    }
}
