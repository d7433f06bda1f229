//! The sweep puts right what a crash left: it settles holds that nobody works on any more, and counts hours again
//! whose events may have been lost. It runs on a schedule, and may run twice at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Aggregator, Entry, Ledger, Outcome, Recorded, aggregate::CLOSES_AFTER, ledger};
use crate::{
    clock::{Clock, Granularity, Period, Timestamp},
    error::Result,
    id::{RequestId, TenantId},
    llm::Usage,
    money::Tokens,
    quota::{Active, Hold, Meter, Meters, Settlement},
    store::{Table, keys::MeterScope},
};

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
            meters: Meters::new(table.clone(), clock.clone()),
            ledger: Ledger::new(table.clone()),
            aggregator: Aggregator::new(table.clone(), clock.clone()),
            table,
            clock,
        }
    }

    /// Sweeps all tenants that were active in this month or the one before.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached; what was done stays done, and the next sweep goes on.
    pub async fn sweep(&self, expired: Expired) -> Result<Swept> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
            #[serde(flatten)]
            active: Active,
        }
        let mut swept = Swept::default();
        let this = Period::month(self.clock.now());
        for month in [this.previous(), this] {
            let mut rows = self.table.active(month).all::<Row>();
            while let Some(page) = rows.page().await? {
                for row in page {
                    let Some(tenant) = TenantId::parse(&row.sk) else { continue };
                    swept.tenants += 1;
                    let pending = self.settle_holds(tenant, month, expired, &mut swept).await?;
                    if !pending {
                        self.close_hours(tenant, month, row.active, &mut swept).await?;
                    }
                }
            }
        }
        Ok(swept)
    }

    /// Settles a tenant's expired holds. Returns whether some are past an hour's closing, and not expired.
    async fn settle_holds(&self, tenant: TenantId, month: Period, expired: Expired, swept: &mut Swept) -> Result<bool> {
        let now = self.clock.now();
        let meters = self.meters.of(tenant, month).await?;
        let mut late = Vec::new();
        let mut pending = false;
        for (scope, meter) in &meters {
            for (request, hold) in &meter.holds {
                let Some(request) = RequestId::parse(request) else { continue };
                if expired == Expired::ByDeadline && now <= hold.deadline {
                    pending |= now.since(ledger::hour_of(request).end()) > CLOSES_AFTER;
                    continue;
                }
                let admitted = matches!(scope, MeterScope::Tenant(_)) || is_held_by_tenant(&meters, request);
                let settlement = self.decide(tenant, request, hold, admitted, swept).await?;
                if settlement.counts {
                    late.push(ledger::hour_of(request));
                }
                self.meters.settle_on(tenant, month, *scope, settlement).await?;
            }
        }
        late.sort_unstable_by_key(|hour| hour.start());
        late.dedup();
        for hour in late {
            self.aggregator.count_from_ledger(tenant, hour, false).await?;
        }
        Ok(pending)
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

    /// Counts the hours of `month` that have ended since the last time from the ledger, and notes how far it came.
    async fn close_hours(&self, tenant: TenantId, month: Period, active: Active, swept: &mut Swept) -> Result<()> {
        let closing = self.clock.now().before(CLOSES_AFTER);
        let until = Period::of(Granularity::Hour, closing).start().min(month.end());
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
        let active = Active { closed_before: until };
        self.table.active(month).put(&tenant.to_string(), &active).await
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
        nano_usd: hold.cost,
        estimated: true,
        unbilled: Tokens::ZERO,
        outcome: Outcome::Lost,
        attempts: 0,
        first_ms: None,
        total_ms: u64::try_from(now.since(request.made_at()).min(Duration::from_secs(86_400)).as_millis()).unwrap_or(0),
        expires_at: ledger::expires_at(request),
    }
}
