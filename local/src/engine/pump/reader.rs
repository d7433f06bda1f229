//! Reads one shard from its oldest record to its end.

use std::{
    fmt::Display,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lambda_events::event::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use aws_sdk_kinesis::{
    Client, error::DisplayErrorContext, operation::get_records::GetRecordsOutput, types::ShardIteratorType,
};
use tokio::time;

use super::{RETRY_AFTER, batch::Delivery, pace::Pace};
use crate::engine::kinesis::Kinesis;

/// Kinesis' own limit for one page.
const PAGE: i32 = 10_000;
const IDLE: Duration = Duration::from_millis(200);

/// The reader of one shard.
pub(super) struct Reader<H> {
    pub client: Client,
    pub stream: String,
    pub shard: String,
    pub engine: Option<Kinesis>,
    pub pace: Arc<Pace>,
    pub delivery: Delivery<H>,
}

/// Why a reader stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The shard is closed and all of it is delivered.
    OfShard,
    /// The shutdown came.
    OfPump,
}

/// Where to read on.
#[derive(Debug, Default)]
struct Cursor {
    /// The last record that was delivered.
    delivered: Option<String>,
    iterator: Option<String>,
}

impl<H, F, E> Reader<H>
where
    H: Fn(KinesisEvent) -> F + Send + Sync + 'static,
    F: Future<Output = Result<KinesisEventResponse, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    /// Delivers records until the shard ends, or until a shutdown and there is nothing more to read.
    pub async fn run(self) -> End {
        let shutdown = self.delivery.shutdown.clone();
        let mut cursor = Cursor::default();
        loop {
            self.pace.rest(&shutdown).await;
            let draining = shutdown.is_cancelled();
            let began = Instant::now();
            let pause = match self.page(&mut cursor).await {
                Ok(page) => {
                    let fetching = began.elapsed();
                    if let Some(last) = page.records.last() {
                        let Ok(handling) = self.delivery.deliver(&page.records).await else {
                            return End::OfPump;
                        };
                        if let Some(engine) = &self.engine {
                            engine.acknowledge(&self.stream, &self.shard, last.sequence_number()).await;
                        }
                        cursor.delivered = Some(last.sequence_number.clone());
                        self.pace.spent(fetching + handling);
                    }
                    cursor.iterator = page.next_shard_iterator;
                    if cursor.iterator.is_none() {
                        return End::OfShard;
                    }
                    if !page.records.is_empty() {
                        continue;
                    }
                    IDLE
                }
                Err(error) => {
                    tracing::warn!(shard = self.shard, error, "cannot read the shard");
                    cursor.iterator = None;
                    RETRY_AFTER
                }
            };
            if draining {
                return End::OfPump;
            }
            tokio::select! {
                () = time::sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn page(&self, cursor: &mut Cursor) -> Result<GetRecordsOutput, String> {
        if cursor.iterator.is_none() {
            let request = self.client.get_shard_iterator().stream_name(&self.stream).shard_id(&self.shard);
            let request = match &cursor.delivered {
                None => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
                Some(last) => {
                    request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).starting_sequence_number(last)
                }
            };
            let answer = request.send().await.map_err(|error| DisplayErrorContext(error).to_string())?;
            cursor.iterator = answer.shard_iterator;
        }
        self.client
            .get_records()
            .set_shard_iterator(cursor.iterator.clone())
            .limit(PAGE)
            .send()
            .await
            .map_err(|error| DisplayErrorContext(error).to_string())
    }
}
