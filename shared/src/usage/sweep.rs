//! The sweep puts right what a crash left: it settles holds that nobody works on any more, and counts hours again
//! whose events may have been lost. It also tells tenants how much of their caps is spent. It runs on a schedule, and may run twice at once.

use std::{collections::BTreeSet, iter::successors, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Aggregator, Entry, Ledger, Outcome, Recorded, aggregate::CLOSES_AFTER, alert, ledger};
use crate::{
    clock::{Clock, Granularity, Period, Timestamp},
    config::Flush,
    error::Result,
    id::{RequestId, TenantId},
    llm::Usage,
    money::{NanoUsd, Tokens},
    quota::{Active, Hold, Meter, Meters, Settlement},
    store::{
        Table, failure,
        keys::{Bucket, MeterScope},
        number,
    },
    telemetry::metrics,
};

/// How many months are swept at a start: a laptop may have been off for long.
const A_YEAR_AND_A_MONTH: usize = 13;

/// Which holds the sweep may settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// Those past their deadline.
    ByDeadline,
    /// All: whoever could have worked on them is known to be dead.
    All,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Swept {
    /// Tenants looked at.
    pub tenants: u64,
    /// Holds settled at the ledger's figure.
    pub settled: u64,
    /// Holds charged in full, because the ledger didn't know the request.
    pub estimated: u64,
    /// Holds released, because the request was never admitted.
    pub released: u64,
    /// Hours counted to their end.
    pub hours_closed: u64,
    /// Tenants that were left to the next sweep, because something about them failed.
    pub failed: u64,
}

/// Sweeps.
#[derive(Clone)]
pub struct Sweeper {
    table: Table,
    clock: Clock,
    meters: Meters,
    ledger: Ledger,
    aggregator: Aggregator,
}

impl Sweeper {
    /// A sweeper of everything in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock) -> Self {
        Self {
            meters: Meters::new(table.clone(), clock.clone(), Flush::BeforeReturning),
            ledger: Ledger::new(table.clone()),
            aggregator: Aggregator::new(table.clone(), clock.clone()),
            table,
            clock,
        }
    }

    /// Sweeps all tenants that were active in this month or the one before. One that fails stops no other.
    ///
    /// # Errors
    /// `Unavailable` if the list of tenants can't be read; what was done stays done, and the next sweep goes on.
    pub async fn sweep(&self, expired: Expired) -> Result<Swept> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
            #[serde(flatten)]
            active: Active,
        }
        let mut swept = Swept::default();
        let this = Period::month(self.clock.now());
        let months = match expired {
            Expired::ByDeadline => 2,
            Expired::All => A_YEAR_AND_A_MONTH,
        };
        for month in successors(Some(this), |month| Some(month.previous())).take(months) {
            let mut rows = self.table.active(month).all::<Row>();
            while let Some(page) = rows.page().await? {
                for row in page {
                    let Some(tenant) = TenantId::parse(&row.sk) else { continue };
                    swept.tenants += 1;
                    if let Err(error) = self.sweep_tenant(tenant, month, row.active, expired, &mut swept).await {
                        swept.failed += 1;
                        tracing::error!(%tenant, %month, error = ?error, "a tenant is left to the next sweep");
                    }
                }
            }
        }
        metrics::swept(&swept);
        Ok(swept)
    }

    async fn sweep_tenant(
        &self,
        tenant: TenantId,
        month: Period,
        active: Active,
        expired: Expired,
        swept: &mut Swept,
    ) -> Result<()> {
        // Before the holds are read: a hold that is made after that belongs to an hour that is not closed now.
        let now = self.clock.now();
        let closing = now.before(CLOSES_AFTER);
        let meters = self.meters.of(tenant, month).await?;
        let oldest_held = self.settle_holds(tenant, month, &meters, expired, swept).await?;
        let until = oldest_held.map_or(closing, |held| held.min(closing));
        self.close_hours(tenant, month, active, until, swept).await?;
        if month >= Period::month(now).previous() {
            alert::raise(&self.table, tenant, month, active, &meters, now).await?;
        }
        match expired {
            Expired::ByDeadline => Ok(()),
            Expired::All => self.count_open_hours(tenant, month, active).await,
        }
    }

    /// Settles a tenant's expired holds. Returns when the oldest of the others was made.
    async fn settle_holds(
        &self,
        tenant: TenantId,
        month: Period,
        meters: &[(MeterScope, Meter)],
        expired: Expired,
        swept: &mut Swept,
    ) -> Result<Option<Timestamp>> {
        let now = self.clock.now();
        let mut late = BTreeSet::new();
        let mut oldest_held: Option<Timestamp> = None;
        for (scope, meter) in meters {
            for (request, hold) in &meter.holds {
                let Some(request) = RequestId::parse(request) else { continue };
                if expired == Expired::ByDeadline && now <= hold.deadline {
                    let made_at = request.made_at();
                    oldest_held = Some(oldest_held.map_or(made_at, |oldest| oldest.min(made_at)));
                    continue;
                }
                let admitted = matches!(scope, MeterScope::Tenant(_)) || is_held_by_tenant(meters, request);
                let settlement = self.decide(tenant, request, hold, admitted, swept).await?;
                if settlement.counts {
                    late.insert(Bucket::of(request));
                }
                self.meters.settle_on(tenant, month, *scope, settlement).await?;
            }
        }
        self.aggregator.count(tenant, &late).await?;
        Ok(oldest_held)
    }

    /// The ledger's figure if it has one; else the amount held goes into the ledger, unless the request was never
    /// admitted: a key's hold is taken before its tenant's, and given up after it.
    async fn decide(
        &self,
        tenant: TenantId,
        request: RequestId,
        hold: &Hold,
        admitted: bool,
        swept: &mut Swept,
    ) -> Result<Settlement> {
        let entry = match self.ledger.find(tenant, request).await? {
            Some(entry) => {
                swept.settled += 1;
                entry
            }
            None if !admitted => {
                swept.released += 1;
                return Ok(Settlement::nothing(request, hold.need(), None));
            }
            None => {
                swept.estimated += 1;
                let lost = lost(request, hold, self.clock.now());
                match self.ledger.record(tenant, request, lost.clone()).await? {
                    Recorded::New => lost,
                    Recorded::Before(entry) => *entry,
                }
            }
        };
        let (tokens, cost) = (entry.tokens()?, entry.nano_usd);
        Ok(Settlement { request, need: hold.need(), tokens, cost, counts: true, window: None })
    }

    /// Settles what is held past its deadline in a tenant's month, however long ago it was, and closes the hours that can be closed.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn finish_month(&self, tenant: TenantId, month: Period) -> Result<()> {
        let Some(active) = self.table.active(month).find::<Active>(&tenant.to_string()).await? else { return Ok(()) };
        self.sweep_tenant(tenant, month, active, Expired::ByDeadline, &mut Swept::default()).await
    }

    /// Counts again what a tenant's month has in hours that are not closed.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub(super) async fn count_open(&self, tenant: TenantId, month: Period) -> Result<()> {
        match self.table.active(month).find(&tenant.to_string()).await? {
            Some(active) => self.count_open_hours(tenant, month, active).await,
            None => Ok(()),
        }
    }

    /// Counts again whatever is in the hours that are not closed: their events may have died with their instance,
    /// after it had settled.
    async fn count_open_hours(&self, tenant: TenantId, month: Period, active: Active) -> Result<()> {
        let until = self.clock.now().min(month.end());
        let mut hour = Period::of(Granularity::Hour, active.closed_before);
        while hour.start() < until {
            let buckets = self.ledger.buckets(tenant, hour).await?;
            self.aggregator.count(tenant, &buckets).await?;
            hour = hour.next();
        }
        Ok(())
    }

    /// Counts the hours of `month` that end by `until` and were not counted before from the ledger, and notes how far
    /// it came.
    async fn close_hours(
        &self,
        tenant: TenantId,
        month: Period,
        active: Active,
        until: Timestamp,
        swept: &mut Swept,
    ) -> Result<()> {
        let until = Period::of(Granularity::Hour, until).start().min(month.end());
        let mut hour = Period::of(Granularity::Hour, active.closed_before);
        if hour.start() >= until {
            return Ok(());
        }
        while hour.start() < until {
            if self.aggregator.count_from_ledger(tenant, hour, true).await?.n > 0 {
                swept.hours_closed += 1;
            }
            hour = hour.next();
        }
        // Only this of the marker: another sweep may be noting an alert.
        let update = self.table.active(month).update(&tenant.to_string());
        let update = update.update_expression("SET closed_before = :until");
        let update = update.expression_attribute_values(":until", number(until.0));
        update.send().await.map(drop).map_err(failure)
    }
}

fn is_held_by_tenant(meters: &[(MeterScope, Meter)], request: RequestId) -> bool {
    let request = request.to_string();
    let tenants = meters.iter().filter(|(scope, _)| matches!(scope, MeterScope::Tenant(_)));
    tenants.into_iter().any(|(_, meter)| meter.holds.contains_key(&request))
}

/// What is billed for a request whose instance died: all that was held.
fn lost(request: RequestId, hold: &Hold, now: Timestamp) -> Entry {
    Entry {
        key: hold.key,
        model: hold.model.clone(),
        prices: hold.prices.clone(),
        usage: Usage { input_tokens: hold.input, output_tokens: hold.output, ..Usage::default() },
        nano_usd: if hold.byok { NanoUsd::ZERO } else { hold.cost },
        byok: hold.byok,
        estimated: true,
        unbilled: Tokens::ZERO,
        outcome: Outcome::Lost,
        attempts: 0,
        failed_attempts: Vec::new(),
        first_ms: None,
        total_ms: u64::try_from(now.since(request.made_at()).min(Duration::from_hours(24)).as_millis()).unwrap_or(0),
        expires_at: ledger::expires_at(request),
    }
}
