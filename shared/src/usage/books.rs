//! The two books: the meters, which admit requests, and the totals, which are counted from the ledger. They have
//! nothing in common but the requests, so that an error in either shows.

use serde::{Deserialize, Serialize};

use super::{Aggregator, Sweeper};
use crate::{
    clock::{Clock, Period},
    config::Flush,
    error::Result,
    id::TenantId,
    quota::{Meter, Meters},
    store::{Table, keys::MeterScope},
    telemetry::metrics,
    tenant::Tenants,
};

/// What one book says of a tenant's month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Book {
    /// Requests.
    pub requests: u64,
    /// Input and output tokens together.
    pub tokens: u64,
    /// Sum of what each request cost.
    pub nano_usd: u64,
}

/// Both books of a tenant's month, side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What the tenant's meters say.
    pub meter: Book,
    /// What the totals say.
    pub totals: Book,
    /// Requests that are held and not settled.
    pub holds: usize,
    /// Whether in each meter what is left, held and spent makes up its cap.
    pub balanced: bool,
}

impl Difference {
    /// Whether nothing is open and the books say the same.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.holds == 0 && self.balanced && self.meter == self.totals
    }

    fn state(self) -> State {
        match self {
            _ if !self.balanced => State::Differ(self),
            _ if self.holds > 0 => State::Open,
            _ if self.agree() => State::Agree,
            _ => State::Differ(self),
        }
    }
}

/// What is to be said of a tenant's month.
enum State {
    Agree,
    /// Requests are under way, so that the books can't agree yet.
    Open,
    Differ(Difference),
}

/// What a reconciliation found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Reconciled {
    /// Months of tenants whose books were compared.
    pub compared: u64,
    /// Those that have requests under way, so that the books can't agree yet.
    pub open: u64,
    /// Those whose books differ.
    pub differ: u64,
    /// Those that could not be read.
    pub failed: u64,
}

/// Compares the books.
#[derive(Clone)]
pub struct Books {
    tenants: Tenants,
    sweeper: Sweeper,
    meters: Meters,
    aggregator: Aggregator,
    clock: Clock,
}

impl Books {
    /// The books in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock) -> Self {
        Self {
            tenants: Tenants::new(table.clone()),
            sweeper: Sweeper::new(table.clone(), clock.clone()),
            meters: Meters::new(table.clone(), clock.clone(), Flush::BeforeReturning),
            aggregator: Aggregator::new(table, clock.clone()),
            clock,
        }
    }

    /// Compares this month and the last of all tenants that were active in them, and logs which differ. Totals follow
    /// the meter, and an event that got lost is made up for only when its hour is closed. So where the books differ,
    /// what isn't closed is counted again from the ledger, and they are looked at once more.
    ///
    /// # Errors
    /// `Unavailable` if the list of tenants can't be read. A tenant that can't be read stops no other.
    pub async fn reconcile(&self) -> Result<Reconciled> {
        let mut found = Reconciled::default();
        let this = Period::month(self.clock.now());
        for month in [this, this.previous()] {
            for tenant in self.tenants.active(month).await? {
                found.compared += 1;
                match self.look(tenant, month).await {
                    Ok(State::Agree) => {}
                    Ok(State::Open) => found.open += 1,
                    Ok(State::Differ(books)) => {
                        found.differ += 1;
                        tracing::error!(%tenant, %month, ?books, "the books differ");
                    }
                    Err(error) => {
                        found.failed += 1;
                        tracing::error!(%tenant, %month, ?error, "the books of a tenant could not be read");
                    }
                }
            }
        }
        metrics::books_differ(found.differ);
        Ok(found)
    }

    async fn look(&self, tenant: TenantId, month: Period) -> Result<State> {
        let first = self.compare(tenant, month).await?;
        if first.holds > 0 || first.agree() {
            return Ok(first.state());
        }
        self.sweeper.count_open(tenant, month).await?;
        self.aggregator.count_late(tenant, month).await?;
        let second = self.compare(tenant, month).await?;
        // Whatever was settled in between may be in one book alone.
        Ok(if second.balanced && second.meter != first.meter { State::Open } else { second.state() })
    }

    /// Both books of a tenant's month.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn compare(&self, tenant: TenantId, month: Period) -> Result<Difference> {
        let meters = self.meters.of(tenant, month).await?;
        let of_tenant =
            || meters.iter().filter(|(scope, _)| matches!(scope, MeterScope::Tenant(_))).map(|(_, meter)| meter);
        let sum = |of: fn(&Meter) -> u64| of_tenant().map(of).sum();
        let totals = self.aggregator.total(tenant, month).await?.unwrap_or_default().sum()?;
        Ok(Difference {
            meter: Book {
                requests: sum(|m| m.requests),
                tokens: sum(|m| m.tokens_spent),
                nano_usd: sum(|m| m.nano_usd_spent),
            },
            totals: Book { requests: totals.requests, tokens: totals.tokens()?.0, nano_usd: totals.nano_usd.0 },
            holds: meters.iter().map(|(_, meter)| meter.holds.len()).sum(),
            balanced: meters.iter().all(|(_, meter)| meter.is_balanced()),
        })
    }
}
