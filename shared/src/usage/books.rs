//! The two books: the meters, which admit requests, and the totals, which are counted from the ledger. They have
//! nothing in common but the requests, so that an error in either shows.

use serde::Serialize;

use super::Aggregator;
use crate::{
    clock::{Clock, Period},
    config::Flush,
    error::Result,
    id::TenantId,
    quota::{Meter, Meters},
    store::{Table, keys::MeterScope},
};

/// What one book says of a tenant's month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Book {
    /// Requests.
    pub requests: u64,
    /// Input and output tokens together.
    pub tokens: u64,
    /// Sum of what each request cost.
    pub nano_usd: u64,
}

/// Both books of a tenant's month, side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
}

/// Compares the books.
#[derive(Clone)]
pub struct Books {
    meters: Meters,
    aggregator: Aggregator,
}

impl Books {
    /// The books in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock) -> Self {
        Self {
            meters: Meters::new(table.clone(), clock.clone(), Flush::BeforeReturning),
            aggregator: Aggregator::new(table, clock),
        }
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
