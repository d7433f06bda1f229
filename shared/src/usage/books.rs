//! The two books: the meters, which admit requests, and the totals, which are counted from the ledger. They have
//! nothing in common but the requests, so that an error in either shows.

use std::time::Duration;

use serde::Serialize;

use super::Aggregator;
use crate::{
    clock::{Clock, Period},
    config::Flush,
    error::{Error, Result},
    id::TenantId,
    quota::{Meter, Meters},
    store::{Table, keys::MeterScope},
    telemetry::metrics,
    tenant::Tenants,
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

impl Difference {
    /// Whether it must not be: a meter that doesn't add up, or books that differ though nothing is open. What was settled
    /// a moment ago may still be on its way into the totals; see [`Books::reconcile`].
    fn is_wrong(&self) -> bool {
        !self.balanced || (self.holds == 0 && self.meter != self.totals)
    }
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
            meters: Meters::new(table.clone(), clock.clone(), Flush::BeforeReturning),
            aggregator: Aggregator::new(table, clock.clone()),
            clock,
        }
    }

    /// Compares this month and the last of all tenants that were active in them, and logs which differ. Totals follow
    /// the meter within seconds, so books that differ are looked at again after `patience`, and only those count that
    /// differ still though nobody asked anything meanwhile.
    ///
    /// A usage event that got lost is counted when its hour is closed, half an hour after its end: until then the books
    /// do differ. Who is to be woken should be woken only if they differ for hours.
    ///
    /// # Errors
    /// `Unavailable` if the list of tenants can't be read. A tenant that can't be read stops no other.
    pub async fn reconcile(&self, patience: Duration) -> Result<Reconciled> {
        let mut found = Reconciled::default();
        let mut doubtful = Vec::new();
        let this = Period::month(self.clock.now());
        for month in [this, this.previous()] {
            for tenant in self.tenants.active(month).await? {
                found.compared += 1;
                let Some(difference) = self.look(tenant, month, &mut found).await else { continue };
                if difference.is_wrong() {
                    doubtful.push((tenant, month, difference));
                } else if difference.holds > 0 {
                    found.open += 1;
                }
            }
        }
        if !doubtful.is_empty() {
            tokio::time::sleep(patience).await;
        }
        for (tenant, month, before) in doubtful {
            let Some(difference) = self.look(tenant, month, &mut found).await else { continue };
            let stands_still = difference.meter == before.meter;
            if !difference.balanced || (difference.is_wrong() && stands_still) {
                found.differ += 1;
                tracing::error!(%tenant, %month, books = ?difference, "the books differ");
            } else if !difference.agree() {
                found.open += 1;
            }
        }
        metrics::books_differ(found.differ);
        Ok(found)
    }

    async fn look(&self, tenant: TenantId, month: Period, found: &mut Reconciled) -> Option<Difference> {
        let compared = self.compare(tenant, month).await;
        let failed = |error: &Error| {
            found.failed += 1;
            tracing::error!(%tenant, %month, ?error, "the books of a tenant could not be read");
        };
        compared.inspect_err(failed).ok()
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
