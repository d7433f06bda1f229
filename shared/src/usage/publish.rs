//! Usage events. An event doesn't carry amounts: it names ten seconds of a tenant's ledger that have something new, to
//! be counted again. So losing one, doubling one or replaying all of them can't change a total.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aws_sdk_kinesis::{Client, primitives::Blob, types::PutRecordsRequestEntry};
use serde::{Deserialize, Serialize};

use crate::{
    batch::Batcher,
    clock::Timestamp,
    config::Flush,
    error::{Error, Result},
    id::{RequestId, TenantId},
    store::keys::Bucket,
};

/// A record of the usage stream: JSON, partitioned by tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UsageEvent {
    /// Version of this format: 1.
    pub v: u8,
    /// Whose ledger.
    pub tenant: TenantId,
    /// The first instant of the ten seconds, in milliseconds since the epoch.
    pub bucket: Timestamp,
}

/// The end of all times that a request's id can tell: 48 bits of milliseconds.
const LAST: Timestamp = Timestamp((1 << 48) - 10_000);

impl UsageEvent {
    /// The event that says that `request` is in the ledger.
    #[must_use]
    pub fn of(tenant: TenantId, request: RequestId) -> Self {
        Self { v: 1, tenant, bucket: Bucket::of(request).start() }
    }

    /// From a record's data.
    ///
    /// # Errors
    /// A text that says what is wrong with it, for the log.
    pub fn parse(data: &[u8]) -> std::result::Result<Self, String> {
        let event: Self = serde_json::from_slice(data).map_err(|error| error.to_string())?;
        match event {
            Self { v: 1, bucket, .. } if bucket < LAST => Ok(event),
            Self { v: 1, bucket, .. } => Err(format!("no time is {} ms", bucket.0)),
            Self { v, .. } => Err(format!("unknown version {v}")),
        }
    }
}

/// Puts usage events on the stream, many in one call where many are at hand, and equal ones once.
#[derive(Clone)]
pub struct Publisher {
    puts: Arc<Batcher<(), UsageEvent, ()>>,
}

/// Kinesis takes up to 500 records in a call.
const MOST_IN_ONE_CALL: usize = 500;
/// How long events are gathered where nobody waits for them.
const GATHER: Duration = Duration::from_millis(100);
/// How often records that Kinesis didn't take are sent again at once. What is lost then, the sweep finds.
const TRIES: usize = 3;

impl Publisher {
    /// A publisher to the stream called `stream`. Where nobody waits for it, it gathers events first: most of them name
    /// the same seconds of the same ledger.
    #[must_use]
    pub fn new(client: Client, stream: impl Into<Arc<str>>, flush: Flush) -> Self {
        let stream = stream.into();
        let gather = if flush == Flush::Behind { GATHER } else { Duration::ZERO };
        let puts = Batcher::gathering(gather, MOST_IN_ONE_CALL, move |(), events: Vec<UsageEvent>| {
            let (client, stream) = (client.clone(), Arc::clone(&stream));
            async move {
                let sent = put(&client, &stream, &events).await;
                let answer = |_| match &sent {
                    Ok(()) => Ok(()),
                    Err(error) => Err(Error::Unavailable(error.clone().into())),
                };
                events.iter().map(answer).collect()
            }
        });
        Self { puts }
    }

    /// Publishes an event.
    ///
    /// # Errors
    /// `Unavailable` if the stream doesn't take it.
    pub async fn publish(&self, event: UsageEvent) -> Result<()> {
        self.puts.submit((), event).await
    }
}

async fn put(client: &Client, stream: &str, events: &[UsageEvent]) -> std::result::Result<(), String> {
    let distinct: BTreeSet<_> = events.iter().copied().collect();
    let mut records = distinct.iter().map(record).collect::<std::result::Result<Vec<_>, String>>()?;
    for _ in 0..TRIES {
        let call = client.put_records().stream_name(stream).set_records(Some(records.clone()));
        let answer =
            call.send().await.map_err(|error| aws_sdk_kinesis::error::DisplayErrorContext(error).to_string())?;
        let results = answer.records().iter().map(|result| result.error_code().is_some());
        records = records.into_iter().zip(results).filter_map(|(record, failed)| failed.then_some(record)).collect();
        if records.is_empty() {
            return Ok(());
        }
    }
    Err(format!("{} records were not taken", records.len()))
}

fn record(event: &UsageEvent) -> std::result::Result<PutRecordsRequestEntry, String> {
    let data = serde_json::to_vec(event).map_err(|error| error.to_string())?;
    let entry = PutRecordsRequestEntry::builder().data(Blob::new(data)).partition_key(event.tenant.to_string());
    entry.build().map_err(|error| error.to_string())
}
