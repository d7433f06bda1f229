//! An aggregation that looks right and isn't: it keeps what it counted of a bucket, and adds what is new in it to hour,
//! day and month, each under an optimistic lock. A crash between two of its writes is never made good.

use aws_lambda_events::{
    event::kinesis::KinesisEvent,
    streams::{KinesisBatchItemFailure, KinesisEventResponse},
};
use aws_sdk_dynamodb::types::AttributeValue;
use lmo_shared::{
    clock::{Granularity, Period},
    error::{Error, Result},
    store::{Partition, Table, Written, keys, keys::Bucket},
    usage::{Entry, Total, TotalRow, UsageEvent},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Item {
    n: u64,
    rows: String,
}

/// Counts a batch.
pub async fn count(table: &Table, event: KinesisEvent) -> KinesisEventResponse {
    let mut response = KinesisEventResponse::default();
    for record in event.records {
        let counted = match UsageEvent::parse(&record.kinesis.data) {
            Ok(event) => count_event(table, event).await,
            Err(problem) => Err(Error::internal(problem)),
        };
        if counted.is_err() {
            let mut failure = KinesisBatchItemFailure::default();
            failure.item_identifier = Some(record.kinesis.sequence_number);
            response.batch_item_failures.push(failure);
        }
    }
    response
}

async fn count_event(table: &Table, event: UsageEvent) -> Result<()> {
    let bucket = Bucket::at(event.bucket);
    let tenant = table.tenant(event.tenant);
    let totals = tenant.totals();
    let (first, last) = bucket.requests();
    let mut now = Total::default();
    for entry in tenant.ledger(bucket.hour()).between::<Entry>(&first, &last).collect().await? {
        now.count(&entry)?;
    }
    let before = find(&totals, &keys::bucket_total(bucket)).await?;
    if before.n >= now.n || !replace(&totals, &keys::bucket_total(bucket), &before, &now).await? {
        return Ok(());
    }
    for granularity in [Granularity::Hour, Granularity::Day, Granularity::Month] {
        let key = keys::total(Period::of(granularity, bucket.start()));
        loop {
            let was = find(&totals, &key).await?;
            let mut sum = was.clone();
            add_difference(&mut sum, &before, &now)?;
            if replace(&totals, &key, &was, &sum).await? {
                break;
            }
        }
    }
    Ok(())
}

fn add_difference(sum: &mut Total, before: &Total, now: &Total) -> Result<()> {
    sum.merge(now)?;
    sum.n -= before.n;
    for (key, old) in &before.rows {
        let Some(row) = sum.rows.get_mut(key) else { continue };
        let TotalRow { requests, failed, estimated, usage, nano_usd } = *old;
        row.requests -= requests;
        row.failed -= failed;
        row.estimated -= estimated;
        row.usage.input_tokens.0 -= usage.input_tokens.0;
        row.usage.cached_input_tokens.0 -= usage.cached_input_tokens.0;
        row.usage.output_tokens.0 -= usage.output_tokens.0;
        row.usage.reasoning_tokens.0 -= usage.reasoning_tokens.0;
        row.usage.cache_write_tokens.0 -= usage.cache_write_tokens.0;
        row.usage.cache_hit_tokens.0 -= usage.cache_hit_tokens.0;
        row.nano_usd.0 -= nano_usd.0;
    }
    Ok(())
}

async fn find(totals: &Partition, sort: &str) -> Result<Total> {
    let Some(item) = totals.find::<Item>(sort).await? else { return Ok(Total::default()) };
    let rows = serde_json::from_str::<Vec<_>>(&item.rows).map_err(Error::internal)?;
    Ok(Total { n: item.n, rows: rows.into_iter().collect(), ..Total::default() })
}

async fn replace(totals: &Partition, sort: &str, old: &Total, new: &Total) -> Result<bool> {
    const UNCHANGED: &str = "attribute_not_exists(n) OR n = :n";
    let rows = serde_json::to_string(&new.rows.iter().collect::<Vec<_>>()).map_err(Error::internal)?;
    let item = Item { n: new.n, rows };
    let values = [(":n", AttributeValue::N(old.n.to_string()))];
    Ok(totals.put_if(sort, &item, UNCHANGED, &values).await? == Written::Yes)
}
