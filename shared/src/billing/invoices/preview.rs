//! What an invoice would be, from the totals: cheap, and not in the books.

use std::collections::BTreeMap;

use super::Invoices;
use crate::{
    billing::{Account, Segment, Statement, Used, charged, rate},
    clock::{Granularity, Period},
    error::Result,
    id::TenantId,
    llm::Usage,
    tenant::Tenant,
};

impl Invoices {
    /// What a month's invoice would have in its lines before tax, if this much more were used until its end: one statement
    /// for each that is asked. `None` if the tenant is on no plan in the month. Where the plan changed within an hour, all
    /// of that hour counts for the plan that it began with.
    ///
    /// # Errors
    /// `Unavailable`, and what rating fails with.
    pub async fn preview(
        &self,
        tenant: &Tenant,
        month: Period,
        more: &[&BTreeMap<Used, Usage>],
    ) -> Result<Option<Vec<Statement>>> {
        let Some(subscribed) = self.subscriptions.find(tenant).await? else { return Ok(None) };
        let mut segments = subscribed.segments(month);
        let Some(currency) = segments.first().map(|segment| segment.plan.currency) else { return Ok(None) };
        self.fill(tenant.id, month, &mut segments).await?;
        self.count_seats(tenant.id, &mut segments).await?;
        let waiting = self.waiting(tenant.id, currency).await?;
        let mut statements = Vec::with_capacity(more.len());
        for more in more {
            let mut segments = segments.clone();
            if let Some(last) = segments.last_mut() {
                for (used, usage) in *more {
                    let sum = last.usage.entry(used.clone()).or_default();
                    *sum = sum.plus(usage)?;
                }
            }
            for segment in &mut segments {
                segment.list = self.list(segment.usage.keys()).await?;
            }
            statements.push(rate(&Account {
                from: month.start(),
                to: month.end(),
                currency,
                segments,
                discounts: subscribed.subscription.discounts(month, currency),
                adjustments: waiting.iter().map(|one| one.adjustment.clone()).collect(),
            })?);
        }
        Ok(Some(statements))
    }

    /// Fills in what was used in each part of a month.
    async fn fill(&self, tenant: TenantId, month: Period, segments: &mut [Segment]) -> Result<()> {
        if let [whole] = segments {
            let total = self.aggregator.total(tenant, month).await?.unwrap_or_default();
            whole.usage = charged(&total)?;
            return Ok(());
        }
        let first = Period::of(Granularity::Hour, month.start());
        let last = Period::of(Granularity::Hour, month.end()).previous();
        for (hour, total) in self.aggregator.totals(tenant, first, last).await? {
            // What a segment began within counts for the one before, unless there is none.
            let place = segments.iter().rposition(|segment| segment.from <= hour.start()).unwrap_or(0);
            let Some(segment) = segments.get_mut(place).filter(|segment| segment.from < hour.end()) else { continue };
            for (used, usage) in charged(&total)? {
                let sum = segment.usage.entry(used).or_default();
                *sum = sum.plus(&usage)?;
            }
        }
        Ok(())
    }
}
