//! Delivers a batch: retries from the lowest failure, bisects what fails as a whole, gives up single records at last.

use std::{
    fmt::Display,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lambda_events::event::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use aws_sdk_kinesis::types::Record;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::{RETRY_AFTER, event::Source, failures::Failures};

/// A batch that fails as a whole is tried this often before it is split.
const TRIES_BEFORE_SPLIT: u32 = 2;
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// An invocation that takes longer counts as failed.
const INVOCATION_LIMIT: Duration = Duration::from_mins(1);

/// How the records of one shard reach the handler.
pub(super) struct Delivery<H> {
    pub source: Source,
    pub handler: Arc<H>,
    pub failures: Arc<Failures>,
    pub tries: u32,
    pub backoff: Duration,
    pub shutdown: CancellationToken,
}

/// What one invocation came to.
enum Verdict {
    Delivered,
    /// All before this record are delivered.
    FailedFrom(usize),
    Failed(String),
}

struct Part {
    records: Range<usize>,
    tries: u32,
}

/// The shutdown came before everything was delivered; what was not will be delivered again.
#[derive(Debug)]
pub(super) struct Interrupted;

impl<H, F, E> Delivery<H>
where
    H: Fn(KinesisEvent) -> F + Send + Sync + 'static,
    F: Future<Output = Result<KinesisEventResponse, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    /// Delivers `records` in order; returns the time spent in the handler.
    pub async fn deliver(&self, records: &[Record]) -> Result<Duration, Interrupted> {
        let mut busy = Duration::ZERO;
        // The last part comes first.
        let mut parts = vec![Part { records: 0..records.len(), tries: 0 }];
        while let Some(Part { records: part, tries }) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let began = Instant::now();
            let verdict = self.invoke(&records[part.clone()]).await;
            busy += began.elapsed();
            let (first, tries) = match verdict {
                Verdict::Delivered => continue,
                Verdict::FailedFrom(at) if at > 0 => (part.start + at, 1),
                Verdict::FailedFrom(_) | Verdict::Failed(_) => (part.start, tries + 1),
            };
            let named = matches!(verdict, Verdict::FailedFrom(_));
            let rest = first..part.end;
            if tries >= self.tries && (named || rest.len() == 1) {
                let why = match &verdict {
                    Verdict::Failed(why) => why,
                    Verdict::Delivered | Verdict::FailedFrom(_) => "named as a failed item",
                };
                self.give_up(&records[first], tries, why).await?;
                parts.push(Part { records: first + 1..part.end, tries: 0 });
                continue;
            }
            if !named && rest.len() > 1 && tries >= TRIES_BEFORE_SPLIT {
                let middle = first + rest.len() / 2;
                for half in [middle..part.end, first..middle] {
                    parts.push(Part { records: half, tries: 0 });
                }
                continue;
            }
            self.back_off(tries).await?;
            parts.push(Part { records: rest, tries });
        }
        Ok(busy)
    }

    async fn invoke(&self, records: &[Record]) -> Verdict {
        // A task of its own, so that a panic fails the batch and not the pump.
        let (handler, event) = (Arc::clone(&self.handler), self.source.event(records));
        let mut task = tokio::spawn(async move { handler(event).await });
        let response = match time::timeout(INVOCATION_LIMIT, &mut task).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(error))) => return Verdict::Failed(error.to_string()),
            Ok(Err(panic)) => return Verdict::Failed(panic.to_string()),
            Err(_) => {
                task.abort();
                return Verdict::Failed("took too long".to_owned());
            }
        };
        let mut lowest = records.len();
        for failure in &response.batch_item_failures {
            let id = failure.item_identifier.as_deref().unwrap_or_default();
            match records.iter().position(|record| record.sequence_number == id) {
                Some(at) => lowest = lowest.min(at),
                // Lambda takes an identifier that it does not know as a failure of everything.
                None => return Verdict::Failed(format!("unknown item {id:?} named as failed")),
            }
        }
        if lowest == records.len() { Verdict::Delivered } else { Verdict::FailedFrom(lowest) }
    }

    async fn back_off(&self, tries: u32) -> Result<(), Interrupted> {
        let wait = self.backoff * 2_u32.saturating_pow(tries.saturating_sub(1));
        self.wait(wait.min(LONGEST_BACKOFF)).await
    }

    async fn give_up(&self, record: &Record, tries: u32, why: &str) -> Result<(), Interrupted> {
        let sequence = record.sequence_number();
        tracing::error!(shard = self.source.shard, sequence, tries, why, "gave up a record");
        while let Err(error) = self.failures.append(&self.source, record, tries, why) {
            tracing::error!(%error, "cannot write down a failed record");
            self.wait(RETRY_AFTER).await?;
        }
        Ok(())
    }

    async fn wait(&self, wait: Duration) -> Result<(), Interrupted> {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Err(Interrupted),
            () = time::sleep(wait) => Ok(()),
        }
    }
}
