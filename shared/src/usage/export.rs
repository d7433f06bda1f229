//! The usage export: the ledger, day by day, as gzipped JSON Lines, for whoever wants to analyse it. It has counts, ids and
//! prices, and nothing of what was asked or answered.
//!
//! A tenant's day is `usage/day=<day>/tenant=<tnt>/part-<n>.jsonl.gz`, its requests by the time that they began, 100,000 in a
//! part. A day that was counted to its end never changes but by what comes late, so writing it again writes the same bytes to
//! the same place: it may be done twice, at once, or again after it was cut off. What came late is in it if it is exported again.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{Aggregator, Entry, FailedAttempt, Outcome};
use crate::{
    aws::Bucket,
    clock::{Clock, Granularity, Period, Timestamp},
    error::{Error, Result},
    id::{KeyId, RequestId, TenantId},
    quota::Active,
    store::{Order, Table, keys},
};

/// How many requests a part has.
const PART: usize = 100_000;
/// How many tenants are exported at once, and listed in one call.
const AT_ONCE: usize = 4;
const TENANTS: u16 = 100;
/// How long after its end a day waits for tenants whose hours aren't counted to their end.
const PATIENCE: Duration = Duration::from_hours(48);
/// How many entries are read in one call.
const PAGE: i32 = 1_000;

/// Where an export goes.
#[derive(Debug, Clone)]
pub enum Destination {
    /// A bucket of Amazon S3.
    Bucket(Bucket),
    /// A folder.
    Folder(PathBuf),
}

/// What an export did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Exported {
    /// Days that are complete.
    pub days: u64,
    /// Tenants' days that were written.
    pub tenants: u64,
    /// Requests in them.
    pub requests: u64,
    /// Tenants' days that were given up, because their hours were not counted to their end.
    pub skipped: u64,
    /// The day to go on with, if it isn't complete yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
}

/// Exports.
#[derive(Clone)]
pub struct Exporter {
    table: Table,
    clock: Clock,
    aggregator: Aggregator,
    destination: Destination,
}

/// How far the scheduled export is.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Progress {
    day: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// A line. All fields are always there.
#[derive(Serialize)]
struct Line<'a> {
    request: RequestId,
    tenant: TenantId,
    at: String,
    key: KeyId,
    model: &'a str,
    prices: &'a str,
    input_tokens: u64,
    cached_input_tokens: u64,
    cache_write_tokens: u64,
    cache_write_1h_tokens: u64,
    output_tokens: u64,
    reasoning_tokens: u64,
    cache_hit_tokens: u64,
    unbilled_tokens: u64,
    nano_usd: u64,
    byok: bool,
    estimated: bool,
    outcome: Outcome,
    attempts: u32,
    failed_attempts: &'a [FailedAttempt],
    first_ms: Option<u64>,
    total_ms: u64,
}

#[derive(Deserialize)]
struct Row {
    sk: RequestId,
    #[serde(flatten)]
    entry: Entry,
}

#[derive(Deserialize)]
struct Marker {
    sk: String,
    #[serde(flatten)]
    active: Active,
}

/// What became of a page of tenants.
enum Worked {
    /// Done; behind which tenant to go on, if there are more.
    Done(Option<String>),
    /// Somebody's day isn't counted to its end.
    Waits,
}

impl Exporter {
    /// Exports of what is in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock, destination: Destination) -> Self {
        Self { aggregator: Aggregator::new(table.clone(), clock.clone()), table, clock, destination }
    }

    /// Goes on with the first day that isn't exported, until yesterday or `deadline`. The first run of all begins with this
    /// month.
    ///
    /// # Errors
    /// `Unavailable` if table or destination can't be reached: what was done stays done. `Internal` if the destination refuses.
    pub async fn run(&self, deadline: Timestamp) -> Result<Exported> {
        let (mut exported, partition) = (Exported::default(), self.table.billing());
        let progress: Option<Progress> = partition.find(keys::EXPORT).await?;
        let first = Period::of(Granularity::Day, Period::month(self.clock.now()).start());
        let (mut day, mut after) = match progress {
            Some(Progress { day, after }) => (day_of(&day)?, after),
            None => (first, None),
        };
        while day.end() <= self.clock.now() {
            loop {
                if self.clock.now() >= deadline {
                    return Ok(Exported { waiting: Some(day.to_string()), ..exported });
                }
                match self.page(day, after.as_deref(), &mut exported).await? {
                    Worked::Waits => return Ok(Exported { waiting: Some(day.to_string()), ..exported }),
                    Worked::Done(None) => break,
                    Worked::Done(next) => after = next,
                }
                partition.put(keys::EXPORT, &Progress { day: day.to_string(), after: after.clone() }).await?;
            }
            exported.days += 1;
            (day, after) = (day.next(), None);
            partition.put(keys::EXPORT, &Progress { day: day.to_string(), after: None }).await?;
        }
        Ok(exported)
    }

    /// Exports the days from `from` until before `to`, whatever was exported. It stops at a day that isn't complete.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn days(&self, from: Period, to: Period) -> Result<Exported> {
        let (mut exported, mut day) = (Exported::default(), from);
        while day < to {
            let mut after = None;
            if self.clock.now() < day.end() {
                return Ok(Exported { waiting: Some(day.to_string()), ..exported });
            }
            loop {
                match self.page(day, after.as_deref(), &mut exported).await? {
                    Worked::Waits => return Ok(Exported { waiting: Some(day.to_string()), ..exported }),
                    Worked::Done(None) => break,
                    Worked::Done(next) => after = next,
                }
            }
            exported.days += 1;
            day = day.next();
        }
        Ok(exported)
    }

    /// Exports a day of a page of tenants, once all of them are counted to its end.
    async fn page(&self, day: Period, after: Option<&str>, exported: &mut Exported) -> Result<Worked> {
        let active = self.table.active(Period::month(day.start()));
        let (markers, next) = active.page::<Marker>("", after, TENANTS, Order::Ascending).await?;
        let (closed, open): (Vec<_>, Vec<_>) = markers.iter().partition(|one| one.active.closed_before >= day.end());
        if !open.is_empty() && self.clock.now().since(day.end()) < PATIENCE {
            return Ok(Worked::Waits);
        }
        for one in &open {
            tracing::error!(tenant = %one.sk, %day, "a tenant's day is not exported: it was not counted to its end");
            exported.skipped += 1;
        }
        let tenants: Vec<_> = closed.iter().filter_map(|one| TenantId::parse(&one.sk)).collect();
        let written = stream::iter(tenants).map(|tenant| self.tenant(tenant, day)).buffer_unordered(AT_ONCE);
        let written: Vec<u64> = written.try_collect().await?;
        exported.tenants += written.iter().filter(|requests| **requests > 0).count() as u64;
        exported.requests += written.iter().sum::<u64>();
        Ok(Worked::Done(next))
    }

    /// Exports a tenant's day. Returns how many requests it has.
    async fn tenant(&self, tenant: TenantId, day: Period) -> Result<u64> {
        let first = Period::of(Granularity::Hour, day.start());
        let last = Period::of(Granularity::Hour, day.end()).previous();
        let (mut part, mut number, mut requests) = (Part::default(), 0_u64, 0_u64);
        for (hour, _) in self.aggregator.totals(tenant, first, last).await? {
            let mut rows = self.table.tenant(tenant).ledger(hour).all::<Row>().in_pages_of(PAGE);
            while let Some(page) = rows.page().await? {
                for row in &page {
                    part.add(tenant, row)?;
                    requests += 1;
                    if part.lines == PART {
                        self.put(tenant, day, number, std::mem::take(&mut part)).await?;
                        number += 1;
                    }
                }
            }
        }
        if part.lines > 0 {
            self.put(tenant, day, number, part).await?;
        }
        Ok(requests)
    }

    async fn put(&self, tenant: TenantId, day: Period, number: u64, part: Part) -> Result<()> {
        let key = format!("usage/day={day}/tenant={tenant}/part-{number}.jsonl.gz");
        let bytes = part.finish()?;
        match &self.destination {
            Destination::Bucket(bucket) => bucket.put(&key, "application/gzip", bytes).await,
            Destination::Folder(folder) => {
                let path = folder.join(key);
                let written = tokio::task::spawn_blocking(move || write(&path, &bytes)).await;
                written.map_err(Error::internal)?.map_err(Error::internal)
            }
        }
    }
}

/// A part while it is written.
struct Part {
    gzip: GzEncoder<Vec<u8>>,
    lines: usize,
}

impl Default for Part {
    /// Without time or name of a file: the same lines are the same bytes.
    fn default() -> Self {
        Self { gzip: GzBuilder::new().mtime(0).write(Vec::new(), Compression::default()), lines: 0 }
    }
}

impl Part {
    fn add(&mut self, tenant: TenantId, row: &Row) -> Result<()> {
        let Row { sk: request, entry } = row;
        let usage = &entry.usage;
        let line = Line {
            request: *request,
            tenant,
            at: Timestamp(request.made_at().0).to_string(),
            key: entry.key,
            model: &entry.model,
            prices: &entry.prices,
            input_tokens: usage.input_tokens.0,
            cached_input_tokens: usage.cached_input_tokens.0,
            cache_write_tokens: usage.cache_write_tokens.0,
            cache_write_1h_tokens: usage.cache_write_1h_tokens.0,
            output_tokens: usage.output_tokens.0,
            reasoning_tokens: usage.reasoning_tokens.0,
            cache_hit_tokens: usage.cache_hit_tokens.0,
            unbilled_tokens: entry.unbilled.0,
            nano_usd: entry.nano_usd.0,
            byok: entry.byok,
            estimated: entry.estimated,
            outcome: entry.outcome,
            attempts: entry.attempts,
            failed_attempts: &entry.failed_attempts,
            first_ms: entry.first_ms,
            total_ms: entry.total_ms,
        };
        serde_json::to_writer(&mut self.gzip, &line).map_err(Error::internal)?;
        self.gzip.write_all(b"\n").map_err(Error::internal)?;
        self.lines += 1;
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>> {
        self.gzip.finish().map_err(Error::internal)
    }
}

fn day_of(text: &str) -> Result<Period> {
    let day = Period::parse(text).filter(|day| day.granularity == Granularity::Day);
    day.ok_or_else(|| Error::internal("the export's progress names no day"))
}

/// Whoever reads the folder sees whole files alone.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_extension(format!("{:016x}.part", rand::random::<u64>()));
    std::fs::write(&part, bytes)?;
    std::fs::rename(&part, path)
}
