//! Counting: reads the ledger where events say that there is something new, and writes totals. It remembers nothing of
//! what it has seen; a total is replaced only by one that is made of at least as many entries.
//!
//! Why it holds is argued in ARCHITECTURE.md, "Why the totals are right".

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Entry, UsageEvent,
    totals::{Total, TotalItem},
};
use crate::{
    clock::{Clock, Granularity, Period, Timestamp},
    error::Result,
    id::TenantId,
    store::{Partition, Rows, Table, Written, keys, keys::Bucket, number},
};

/// What a batch of events says to count again: per tenant, the ten-second buckets.
pub type Touched = BTreeMap<TenantId, BTreeSet<Bucket>>;

/// How long after its end an hour may still get entries: the longest request, its hold's grace, and some.
pub const CLOSES_AFTER: Duration = Duration::from_mins(30);

/// How many entries are read in one call: about 100 KB, a few milliseconds of the table's time.
const ENTRIES_AT_ONCE: i32 = 250;

/// Bucket totals are needed while their hour is open.
const BUCKETS_KEPT: Duration = Duration::from_hours(48);

/// How long it is remembered that an hour got something late: until the next invoices are made.
const LATE_KEPT: Duration = Duration::from_hours(100 * 24);

/// The mark of an hour that got something when it was counted to its end, or when its month was over.
#[derive(Serialize)]
struct Late {
    /// Another one each time, so that who has made up for the hour doesn't take the mark of what came meanwhile.
    event: u64,
    expires_at: u64,
}

/// Counts the ledger.
#[derive(Debug, Clone)]
pub struct Aggregator {
    table: Table,
    clock: Clock,
}

impl Aggregator {
    /// An aggregator of the ledgers in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock) -> Self {
        Self { table, clock }
    }

    /// What a batch of events names, without repetitions.
    pub fn touched(events: impl IntoIterator<Item = UsageEvent>) -> Touched {
        let mut touched = Touched::new();
        for event in events {
            touched.entry(event.tenant).or_default().insert(Bucket::at(event.bucket));
        }
        touched
    }

    /// Counts one tenant's buckets again, and the hours, days and months that they are part of.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached; counting again is always safe.
    pub async fn count(&self, tenant: TenantId, buckets: &BTreeSet<Bucket>) -> Result<()> {
        let mut by_hour: BTreeMap<Timestamp, Vec<Bucket>> = BTreeMap::new();
        for bucket in buckets {
            by_hour.entry(bucket.hour().start()).or_default().push(*bucket);
        }
        let mut days = BTreeSet::new();
        for (start, buckets) in by_hour {
            let hour = Period::of(Granularity::Hour, start);
            if self.count_hour(tenant, hour, &buckets).await? == Written::Yes {
                days.insert(Period::of(Granularity::Day, start).start());
            }
        }
        self.roll_up(tenant, days).await
    }

    /// Counts a whole hour from the ledger alone. `close` says that it can't get any more entries, which makes the
    /// total final. It is marked so only when it is in its day and its month: nobody looks at a closed hour again.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn count_from_ledger(&self, tenant: TenantId, hour: Period, close: bool) -> Result<Total> {
        let ledger = self.table.tenant(tenant).ledger(hour);
        let mut total = count(ledger.all::<Entry>()).await?;
        if total.n > 0 {
            self.put(tenant, hour, &total).await?;
            self.roll_up(tenant, [hour.start()]).await?;
            if close {
                total.closed = true;
                self.put(tenant, hour, &total).await?;
            }
        }
        Ok(total)
    }

    /// The total of a period.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn total(&self, tenant: TenantId, period: Period) -> Result<Option<Total>> {
        let item: Option<TotalItem> = self.table.tenant(tenant).totals().find(&keys::total(period)).await?;
        item.map(|item| item.total()).transpose()
    }

    /// The totals of hours, days or months, from the first to the last, in order; periods without requests have none.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn totals(&self, tenant: TenantId, first: Period, last: Period) -> Result<Vec<(Period, Total)>> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
            #[serde(flatten)]
            total: TotalItem,
        }
        let rows = self.table.tenant(tenant).totals().between::<Row>(&keys::total(first), &keys::total(last));
        let period = |row: &Row| Period::parse(row.sk.split_once('#')?.1);
        let rows = rows.collect().await?;
        rows.iter().filter_map(|row| Some((period(row)?, row))).map(|(at, row)| Ok((at, row.total.total()?))).collect()
    }

    /// The hours of a month that have a total, in order.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn hours(&self, tenant: TenantId, month: Period) -> Result<Vec<Period>> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
        }
        let first = keys::total(Period::of(Granularity::Hour, month.start()));
        let last = keys::total(Period::of(Granularity::Hour, month.end()).previous());
        let rows = self.table.tenant(tenant).totals().between::<Row>(&first, &last).only(keys::SK).collect().await?;
        Ok(rows.iter().filter_map(|row| Period::parse(row.sk.strip_prefix("H#")?)).collect())
    }

    /// Counts an hour from the ledger whatever was there, also if it was counted to its end: for the operator, who repairs. Where
    /// that makes a difference it leaves a mark.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn rewrite(&self, tenant: TenantId, hour: Period) -> Result<()> {
        let handle = self.table.tenant(tenant);
        let mut total = count(handle.ledger(hour).all::<Entry>()).await?;
        if self.total(tenant, hour).await?.unwrap_or_default().rows != total.rows {
            // An invoice may have been made of what was there.
            self.mark(tenant, hour).await?;
        }
        total.closed = true;
        let (totals, sort) = (handle.totals(), keys::total(hour));
        match total.n {
            0 => totals.delete_all(&[sort]).await,
            _ => totals.put(&sort, &TotalItem::of(&total, None)?).await,
        }
    }

    /// Sums the days of a month and the month anew, whatever was there: for the operator, who repairs.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn rewrite_sums(&self, tenant: TenantId, month: Period) -> Result<()> {
        let first = Period::of(Granularity::Day, month.start());
        let days = std::iter::successors(Some(first), |day| Some(day.next()));
        for day in days.take_while(|day| day.start() < month.end()) {
            self.rewrite_sum(tenant, day, Granularity::Hour).await?;
        }
        self.rewrite_sum(tenant, month, Granularity::Day).await
    }

    async fn rewrite_sum(&self, tenant: TenantId, whole: Period, parts: Granularity) -> Result<()> {
        let first = keys::total(Period::of(parts, whole.start()));
        let last = keys::total(Period::of(parts, whole.end()).previous());
        let totals = self.table.tenant(tenant).totals();
        let (total, sort) = (merge(totals.between(&first, &last)).await?, keys::total(whole));
        match total.n {
            0 => totals.delete_all(&[sort]).await,
            _ => totals.put(&sort, &TotalItem::of(&total, None)?).await,
        }
    }

    /// Counts the hours of a month again that got an event when they were counted to their end: their totals grow by what came late.
    /// The marks stay, for whoever made an invoice of them.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn count_late(&self, tenant: TenantId, month: Period) -> Result<()> {
        #[derive(Deserialize)]
        struct Mark {
            sk: String,
        }
        const LARGER: &str = "attribute_not_exists(n) OR n < :n";
        let handle = self.table.tenant(tenant);
        let marks = handle.main().begins_with::<Mark>(&keys::late_in(month)).only(keys::SK).collect().await?;
        for mark in marks {
            let Some(hour) = mark.sk.strip_prefix(keys::LATE_PREFIX).and_then(Period::parse) else { continue };
            let mut total = count(handle.ledger(hour).all::<Entry>()).await?;
            if total.n == 0 {
                continue;
            }
            total.closed = true;
            let item = TotalItem::of(&total, None)?;
            let put = handle.totals().put_if(&keys::total(hour), &item, LARGER, &[(":n", number(total.n))]).await?;
            if put == Written::Yes {
                self.roll_up(tenant, [hour.start()]).await?;
            }
        }
        Ok(())
    }

    /// An open hour is counted through its buckets; one that is past from its ledger, whose buckets may be gone; one
    /// that is closed not at all, which makes a replay of old records cheap.
    async fn count_hour(&self, tenant: TenantId, hour: Period, buckets: &[Bucket]) -> Result<Written> {
        let handle = self.table.tenant(tenant);
        if self.is_past(hour) {
            let closed = self.total(tenant, hour).await?.is_some_and(|total| total.closed);
            if closed || self.is_past(Period::month(hour.start())) {
                // An old event again, or something new that came late: whoever compares the books finds out.
                self.mark(tenant, hour).await?;
            }
            if closed {
                return Ok(Written::Refused);
            }
            let total = count(handle.ledger(hour).all::<Entry>()).await?;
            return self.put(tenant, hour, &total).await;
        }
        let (ledger, totals) = (handle.ledger(hour), handle.totals());
        for bucket in buckets {
            let (first, last) = bucket.requests();
            let total = count(ledger.between::<Entry>(&first, &last)).await?;
            let expires_at = hour.end().after(BUCKETS_KEPT).seconds();
            put(&totals, &keys::bucket_total(*bucket), &total, Some(expires_at)).await?;
        }
        let total = merge(totals.begins_with(&keys::bucket_totals(hour))).await?;
        self.put(tenant, hour, &total).await
    }

    /// Whether a period is over for so long that it should have nothing new.
    fn is_past(&self, period: Period) -> bool {
        self.clock.now() > period.end().after(CLOSES_AFTER)
    }

    async fn mark(&self, tenant: TenantId, hour: Period) -> Result<()> {
        let late = Late { event: rand::random(), expires_at: self.clock.now().after(LATE_KEPT).seconds() };
        self.table.tenant(tenant).main().put(&keys::late(hour), &late).await
    }

    /// Sums hours to days and days to months.
    async fn roll_up(&self, tenant: TenantId, days: impl IntoIterator<Item = Timestamp>) -> Result<()> {
        let mut months = BTreeSet::new();
        for at in days {
            let day = Period::of(Granularity::Day, at);
            self.sum(tenant, day, Granularity::Hour).await?;
            months.insert(Period::month(at).start());
        }
        for start in months {
            self.sum(tenant, Period::month(start), Granularity::Day).await?;
        }
        Ok(())
    }

    async fn sum(&self, tenant: TenantId, whole: Period, parts: Granularity) -> Result<Written> {
        let first = keys::total(Period::of(parts, whole.start()));
        let last = keys::total(Period::of(parts, whole.end()).previous());
        let total = merge(self.table.tenant(tenant).totals().between(&first, &last)).await?;
        self.put(tenant, whole, &total).await
    }

    async fn put(&self, tenant: TenantId, period: Period, total: &Total) -> Result<Written> {
        put(&self.table.tenant(tenant).totals(), &keys::total(period), total, None).await
    }
}

/// Replaces a total, unless what is there is made of more entries or is final. One that is made of none says nothing.
async fn put(totals: &Partition, sort: &str, total: &Total, expires_at: Option<u64>) -> Result<Written> {
    const NOT_OLDER: &str = "attribute_not_exists(n) OR (n <= :n AND attribute_not_exists(closed))";
    if total.n == 0 {
        return Ok(Written::Refused);
    }
    totals.put_if(sort, &TotalItem::of(total, expires_at)?, NOT_OLDER, &[(":n", number(total.n))]).await
}

async fn count(entries: Rows<Entry>) -> Result<Total> {
    let mut entries = entries.in_pages_of(ENTRIES_AT_ONCE);
    let mut total = Total::default();
    while let Some(page) = entries.page().await? {
        page.iter().try_for_each(|entry| total.count(entry))?;
    }
    Ok(total)
}

async fn merge(parts: Rows<TotalItem>) -> Result<Total> {
    let mut whole = Total::default();
    for part in parts.collect().await? {
        whole.merge(&part.total()?)?;
    }
    Ok(whole)
}
