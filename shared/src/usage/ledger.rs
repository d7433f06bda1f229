//! The ledger: one item per request, put once and never changed. It decides what is billed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde::Deserialize;

use super::Entry;
use crate::{
    batch::Batcher,
    clock::{Granularity, Period, Timestamp},
    error::{Error, Result},
    id::{RequestId, TenantId},
    store::{Change, Committed, Table, Written, keys, keys::Bucket},
};

/// How long an entry is kept: thirteen months and a little, so that a year can be compared with the one before.
pub const KEPT: Duration = Duration::from_hours(400 * 24);

/// What the ledger says of a request after it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The entry is in.
    New,
    /// Another one was there before (the sweep's), and stays.
    Before(Box<Entry>),
}

/// The ledger of all tenants.
#[derive(Clone)]
pub struct Ledger {
    table: Table,
    puts: Arc<Batcher<(), Line, Written>>,
}

#[derive(Debug, Clone)]
struct Line {
    tenant: TenantId,
    request: RequestId,
    entry: Arc<Entry>,
}

/// `DynamoDB`'s limit is 100 items in a transaction; fewer keep a transaction short.
const MOST_IN_ONE_TRANSACTION: usize = 50;

impl Ledger {
    /// The ledger in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        let writer = table.clone();
        let puts = Batcher::new(MOST_IN_ONE_TRANSACTION, move |(), lines| put_all(writer.clone(), lines));
        Self { table, puts }
    }

    /// Records a request unless it is recorded already. When it returns, the entry is durable. Doing it again changes
    /// nothing.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn record(&self, tenant: TenantId, request: RequestId, entry: Entry) -> Result<Recorded> {
        let entry = Arc::new(entry);
        let line = Line { tenant, request, entry: Arc::clone(&entry) };
        if self.puts.submit((), line).await? == Written::Yes {
            return Ok(Recorded::New);
        }
        let before = self.find(tenant, request).await?;
        let before = before.ok_or_else(|| Error::internal("the ledger refused an entry that it doesn't have"))?;
        // Our own put, whose answer got lost and which was sent again.
        Ok(if before == *entry { Recorded::New } else { Recorded::Before(Box::new(before)) })
    }

    /// A request's entry.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn find(&self, tenant: TenantId, request: RequestId) -> Result<Option<Entry>> {
        self.table.tenant(tenant).ledger(hour_of(request)).find(&keys::request(request)).await
    }

    /// The buckets of an hour that have an entry.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub(super) async fn buckets(&self, tenant: TenantId, hour: Period) -> Result<BTreeSet<Bucket>> {
        #[derive(Deserialize)]
        struct Row {
            sk: RequestId,
        }
        let mut rows = self.table.tenant(tenant).ledger(hour).all::<Row>().only(keys::SK);
        let mut buckets = BTreeSet::new();
        while let Some(page) = rows.page().await? {
            buckets.extend(page.iter().map(|row| Bucket::of(row.sk)));
        }
        Ok(buckets)
    }
}

/// When an entry of `request` may be deleted, in seconds since the epoch.
#[must_use]
pub fn expires_at(request: RequestId) -> u64 {
    request.made_at().after(KEPT).seconds()
}

/// The hour in whose ledger a request is.
#[must_use]
pub fn hour_of(request: RequestId) -> Period {
    Period::of(Granularity::Hour, Timestamp(request.made_at().0))
}

async fn put(table: &Table, line: &Line) -> Result<Written> {
    table.tenant(line.tenant).ledger(hour_of(line.request)).put_new(&keys::request(line.request), &*line.entry).await
}

/// One put for one line, one transaction for several. If any of them is there already the transaction fails, and each
/// goes alone.
async fn put_all(table: Table, lines: Vec<Line>) -> Vec<Result<Written>> {
    if let [line] = lines.as_slice() {
        return vec![put(&table, line).await];
    }
    match put_together(&table, &lines).await {
        Ok(Committed::Yes) => lines.iter().map(|_| Ok(Written::Yes)).collect(),
        Ok(Committed::Refused(_)) | Err(_) => {
            futures_util::future::join_all(lines.iter().map(|line| put(&table, line))).await
        }
    }
}

async fn put_together(table: &Table, lines: &[Line]) -> Result<Committed> {
    let mut change = Change::new(table);
    for line in lines {
        let partition = table.tenant(line.tenant).ledger(hour_of(line.request));
        change.put_new(&partition, &keys::request(line.request), &*line.entry)?;
    }
    change.commit().await
}
