//! What a month's invoice follows from: the ledger, read once, entry by entry, divided among the parts of the month, and compared
//! with the other books.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::Invoices;
use crate::{
    billing::{Compared, Segment, Used, charged, repo::Subscribed},
    clock::{Granularity, Period, Timestamp},
    error::Result,
    id::{RequestId, TenantId},
    llm::catalogue::Price,
    quota::Active,
    store::keys,
    usage::{Book, Entry, Total},
};

/// How many hours of the ledger are read beside each other.
const HOURS_AT_ONCE: usize = 8;
/// How many entries are read in one call.
const ENTRIES_AT_ONCE: i32 = 1_000;

/// A month's ledger.
pub(super) struct Gathered {
    /// All of it.
    pub total: Total,
    /// The parts of the month, with what was used in them and its prices.
    pub segments: Vec<Segment>,
}

#[derive(Deserialize)]
struct Line {
    sk: RequestId,
    #[serde(flatten)]
    entry: Entry,
}

impl Invoices {
    /// Reads a month's ledger, in the hours that have a total.
    pub(super) async fn gather(&self, tenant: TenantId, subscribed: &Subscribed, month: Period) -> Result<Gathered> {
        let hours = self.aggregator.hours(tenant, month).await?;
        self.gather_from(tenant, subscribed, month, hours).await
    }

    /// The same, in these hours.
    pub(super) async fn gather_from(
        &self,
        tenant: TenantId,
        subscribed: &Subscribed,
        month: Period,
        hours: Vec<Period>,
    ) -> Result<Gathered> {
        let mut segments = subscribed.segments(month);
        let begins: Vec<_> = segments.iter().map(|segment| segment.from).collect();
        let begins = &begins;
        let read = stream::iter(hours).map(|hour| self.read_hour(tenant, hour, begins)).buffer_unordered(HOURS_AT_ONCE);
        let mut read = std::pin::pin!(read);
        let mut total = Total::default();
        let mut parts = vec![Total::default(); segments.len()];
        while let Some((of_hour, of_parts)) = read.try_next().await? {
            total.merge(&of_hour)?;
            for (part, more) in parts.iter_mut().zip(&of_parts) {
                part.merge(more)?;
            }
        }
        for (segment, part) in segments.iter_mut().zip(&parts) {
            segment.usage = charged(part)?;
            segment.list = self.list(segment.usage.keys()).await?;
        }
        Ok(Gathered { total, segments })
    }

    async fn read_hour(&self, tenant: TenantId, hour: Period, begins: &[Timestamp]) -> Result<(Total, Vec<Total>)> {
        let (mut total, mut parts) = (Total::default(), vec![Total::default(); begins.len()]);
        let mut rows = self.table.tenant(tenant).ledger(hour).all::<Line>().in_pages_of(ENTRIES_AT_ONCE);
        while let Some(page) = rows.page().await? {
            for Line { sk, entry } in page {
                total.count(&entry)?;
                let at = sk.made_at();
                // Fees pause with a deletion that was taken back. Usage doesn't: what was still let through is of the part before.
                if let Some(place) = begins.iter().rposition(|begin| *begin <= at)
                    && let Some(part) = parts.get_mut(place)
                {
                    part.count(&entry)?;
                }
            }
        }
        Ok((total, parts))
    }

    /// The catalogue's prices of what was used.
    pub(super) async fn list(&self, used: impl Iterator<Item = &Used>) -> Result<BTreeMap<Used, Price>> {
        let mut list = BTreeMap::new();
        for used in used {
            let version = self.catalogues.version(&used.prices).await?;
            if let Some(model) = version.models.get(&used.model) {
                list.insert(used.clone(), model.price);
            }
        }
        Ok(list)
    }

    /// Compares a month's ledger with its totals and its meter.
    pub(super) async fn compare_with(
        &self,
        tenant: TenantId,
        month: Period,
        ledger: &Total,
        now: Timestamp,
    ) -> Result<Compared> {
        let active: Option<Active> = self.table.active(month).find(&tenant.to_string()).await?;
        let open = active.is_some_and(|active| active.closed_before < month.end());
        let books = self.books.compare(tenant, month).await?;
        let totals = self.aggregator.total(tenant, month).await?.unwrap_or_default();
        let sum = ledger.sum()?;
        let agree = !open && books.agree() && totals.n == ledger.n && totals.rows == ledger.rows;
        let ledger = Book { requests: sum.requests, tokens: sum.tokens()?.0, nano_usd: sum.nano_usd.0 };
        Ok(Compared { at: now, agree, open, books, ledger })
    }
}

/// All hours of a month.
pub(super) fn hours_of(month: Period) -> Vec<Period> {
    let first = Period::of(Granularity::Hour, month.start());
    std::iter::successors(Some(first), |hour| Some(hour.next())).take_while(|hour| hour.start() < month.end()).collect()
}

/// The hour that a sort key of a total names; `None` if it is none of an hour.
pub(super) fn late_hour(sort: &str) -> Option<Period> {
    Period::parse(sort.strip_prefix(keys::LATE_PREFIX)?).filter(|period| period.granularity == Granularity::Hour)
}
