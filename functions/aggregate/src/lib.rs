//! The `aggregate` function: counts the ledger again where usage events say so, sweeps on a schedule, and removes tenants
//! whose time has come. That is here because nobody can call this function from outside: no other role deletes from the
//! ledger, or reads all of the table.

use std::collections::BTreeMap;

use aws_lambda_events::{
    event::kinesis::{KinesisEvent, KinesisEventRecord},
    streams::{KinesisBatchItemFailure, KinesisEventResponse},
};
use lmo_shared::{
    clock::Timestamp,
    id::TenantId,
    telemetry,
    tenant::{Purge, Purged},
    usage::{Aggregator, Books, Expired, Reconciled, Sweeper, Swept, UsageEvent},
};

mod trigger;

pub use trigger::Trigger;

/// Handles whatever triggers the function. What is long comes to an end at `deadline`, and goes on with the next trigger.
///
/// # Errors
/// A sweep or a reconciliation that could not finish; the scheduler tries again. A batch never fails as a whole: see
/// [`count`].
pub async fn handle(
    aggregator: &Aggregator,
    sweeper: &Sweeper,
    books: &Books,
    purge: &Purge,
    trigger: Trigger,
    deadline: Timestamp,
) -> Result<serde_json::Value, lambda_runtime::Error> {
    let handled = async {
        Ok(match trigger {
            Trigger::Batch(event) => serde_json::to_value(count(aggregator, event).await)?,
            Trigger::Sweep => serde_json::to_value(sweep(sweeper).await?)?,
            Trigger::Reconcile => serde_json::to_value(reconcile(books).await?)?,
            Trigger::Purge => serde_json::to_value(remove(purge, deadline).await?)?,
        })
    };
    let handled = handled.await;
    telemetry::flush().await;
    handled
}

/// Counts what a batch of usage events names, and reports the records that have to come again.
///
/// A record that is no usage event fails alone: Kinesis bisects the batch around it, and its last attempt puts it into
/// the on-failure destination, while all others are counted now. Records of a tenant that can't be counted at the
/// moment fail too. An empty list of failures means that everything was counted.
pub async fn count(aggregator: &Aggregator, event: KinesisEvent) -> KinesisEventResponse {
    let mut failed = Vec::new();
    let mut by_tenant: BTreeMap<TenantId, Vec<&str>> = BTreeMap::new();
    let mut events = Vec::new();
    for record in &event.records {
        let sequence = sequence_number(record);
        match UsageEvent::parse(&record.kinesis.data) {
            Ok(event) => {
                by_tenant.entry(event.tenant).or_default().push(sequence);
                events.push(event);
            }
            Err(problem) => {
                tracing::error!(sequence, problem, "a record is no usage event");
                failed.push(sequence.to_owned());
            }
        }
    }
    for (tenant, buckets) in Aggregator::touched(events) {
        if let Err(error) = aggregator.count(tenant, &buckets).await {
            tracing::error!(%tenant, error = ?error, "a tenant was not counted");
            failed.extend(by_tenant.remove(&tenant).into_iter().flatten().map(str::to_owned));
        }
    }
    let mut response = KinesisEventResponse::default();
    response.batch_item_failures = failed.into_iter().map(item_failure).collect();
    response
}

async fn sweep(sweeper: &Sweeper) -> Result<Swept, lmo_shared::error::Error> {
    let swept = sweeper.sweep(Expired::ByDeadline).await?;
    tracing::info!(?swept, "swept");
    Ok(swept)
}

async fn reconcile(books: &Books) -> Result<Reconciled, lmo_shared::error::Error> {
    let found = books.reconcile().await?;
    tracing::info!(?found, "reconciled");
    Ok(found)
}

/// Removes tenants until `deadline`.
async fn remove(purge: &Purge, deadline: Timestamp) -> Result<Purged, lmo_shared::error::Error> {
    let purged = purge.run(deadline).await?;
    tracing::info!(?purged, "purged");
    Ok(purged)
}

fn sequence_number(record: &KinesisEventRecord) -> &str {
    record.kinesis.sequence_number.as_str()
}

fn item_failure(sequence: String) -> KinesisBatchItemFailure {
    let mut failure = KinesisBatchItemFailure::default();
    failure.item_identifier = Some(sequence);
    failure
}
