//! What tenants bring in, what they cost, and what is left: for the operator, from totals and invoices.
//!
//! All amounts of a row are in one currency: of what an invoice charges in the invoice's, with list prices and costs at its
//! plan's rate; of what no final invoice charges yet in USD. What was asked with tenants' own keys costs nothing and brings
//! nothing in. Attempts that failed are in the ledger alone, so what providers took for them isn't in here.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Amount, Currency, Invoice, InvoiceStatus, LineKind, NANOS, Percent, repo::Plans};
use crate::{
    clock::{Clock, Period, Timestamp},
    error::Result,
    id::TenantId,
    llm::{Usage, catalogue::Catalogues},
    money::FemtoUsd,
    store::{Table, keys},
    tenant::Listed,
    usage::{Aggregator, rate_exactly},
};

/// How many tenants' months are read at once.
const AT_ONCE: usize = 16;

/// By what a report is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SplitBy {
    /// A row per tenant.
    pub tenant: bool,
    /// A row per model; and fees, discounts and the like in rows of their own.
    pub model: bool,
    /// A row per month.
    pub month: bool,
}

/// A row of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevenueRow {
    /// The tenant, if split by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The UTC month, if split by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// If split by model, what it is for: `usage`, or a kind of lines of invoices (`base`, `seats`, `tiers`, `included`,
    /// `trial`, `cap`, `minimum`, `discount`, `adjustment`), or `credit_note`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// The model, if split by it and it is for usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether final invoices charge it.
    pub invoiced: bool,
    /// What all amounts are in.
    pub currency: Currency,
    /// Requests.
    pub requests: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Tokens, input and output, of requests with tenants' own keys, which are in the figures before.
    pub own_key_tokens: u64,
    /// At the catalogue's prices.
    pub list: Amount,
    /// What invoices charge before tax, less what credit notes gave back; `null` where there is no final one.
    #[schema(required)]
    pub revenue: Option<Amount>,
    /// What providers take; `null` if the catalogue doesn't know it of each model.
    #[schema(required)]
    pub cost: Option<Amount>,
    /// Revenue less cost.
    #[schema(required)]
    pub margin: Option<Amount>,
    /// The margin as a part of the revenue, in percent, rounded towards zero.
    #[schema(required)]
    pub margin_percent: Option<Percent>,
}

/// What is summed of a row.
#[derive(Debug, Clone, Copy)]
struct Sum {
    requests: u64,
    usage: Usage,
    own_key_tokens: u64,
    list: Amount,
    revenue: Amount,
    cost: Option<Amount>,
}

impl Default for Sum {
    fn default() -> Self {
        let (list, revenue, cost) = (Amount::ZERO, Amount::ZERO, Some(Amount::ZERO));
        Self { requests: 0, usage: Usage::default(), own_key_tokens: 0, list, revenue, cost }
    }
}

impl Sum {
    fn add(&mut self, other: &Self) -> Result<()> {
        self.requests += other.requests;
        self.usage = self.usage.plus(&other.usage)?;
        self.own_key_tokens += other.own_key_tokens;
        self.list = self.list.plus(other.list)?;
        self.revenue = self.revenue.plus(other.revenue)?;
        self.cost = match (self.cost, other.cost) {
            (Some(one), Some(other)) => Some(one.plus(other)?),
            (None, _) | (_, None) => None,
        };
        Ok(())
    }

    fn charged(revenue: Amount) -> Self {
        Self { revenue, ..Self::default() }
    }
}

/// What distinguishes rows. Ordered as reports are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    tenant: Option<TenantId>,
    month: Option<Period>,
    what: Option<&'static str>,
    model: Option<String>,
    invoiced: bool,
    currency: Currency,
}

/// What a tenant's month brought in, piece by piece.
type Pieces = Vec<(Group, Sum)>;

/// Makes reports.
#[derive(Clone)]
pub struct Revenues {
    table: Table,
    plans: Plans,
    aggregator: Aggregator,
    catalogues: Arc<Catalogues>,
}

/// What models of a month were used, in femto-USD at the catalogue's prices and at the providers'.
#[derive(Default)]
struct Used {
    sum: Sum,
    list: FemtoUsd,
    cost: Option<FemtoUsd>,
}

impl Revenues {
    /// Reports on `table`, at the prices of `catalogues`.
    #[must_use]
    pub fn new(table: Table, clock: Clock, catalogues: Arc<Catalogues>) -> Self {
        Self { plans: Plans::new(table.clone()), aggregator: Aggregator::new(table.clone(), clock), table, catalogues }
    }

    /// What these tenants brought in and cost from a month to another, both included.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn of(&self, tenants: &[Listed], from: Period, to: Period, by: SplitBy) -> Result<Vec<RevenueRow>> {
        let months = std::iter::successors(Some(from), |month| Some(month.next())).take_while(|month| *month <= to);
        let months: Vec<_> = months.collect();
        let each =
            tenants.iter().flat_map(|tenant| months.iter().map(move |month| (tenant.id, tenant.created_at, *month)));
        let each: Vec<_> = each.filter(|(_, since, month)| *since < month.end()).collect();
        let read = stream::iter(each).map(|(tenant, _, month)| self.month(tenant, month)).buffer_unordered(AT_ONCE);
        let mut read = std::pin::pin!(read);
        let mut groups: BTreeMap<Group, Sum> = BTreeMap::new();
        while let Some(pieces) = read.try_next().await? {
            for (group, sum) in pieces {
                let group = Group {
                    tenant: group.tenant.filter(|_| by.tenant),
                    month: group.month.filter(|_| by.month),
                    what: group.what.filter(|_| by.model),
                    model: group.model.filter(|_| by.model),
                    ..group
                };
                groups.entry(group).or_default().add(&sum)?;
            }
        }
        groups.into_iter().map(|(group, sum)| row(group, &sum)).collect()
    }

    async fn month(&self, tenant: TenantId, month: Period) -> Result<Pieces> {
        let invoices = self.table.tenant(tenant).invoices();
        let sort = keys::invoice(keys::invoice_of(tenant, month));
        let (used, invoice) = tokio::try_join!(self.used(tenant, month), invoices.find::<Invoice>(&sort))?;
        let invoice = invoice.filter(|invoice| invoice.status == InvoiceStatus::Finalised);
        let at = match &invoice {
            Some(invoice) => self.rate(invoice).await?,
            None => None,
        };
        let of = |what, model: Option<&String>, currency, invoiced| Group {
            tenant: Some(tenant),
            month: Some(month),
            what: Some(what),
            model: model.cloned(),
            invoiced,
            currency,
        };
        let mut pieces = Vec::new();
        for (model, used) in &used {
            let (currency, rate) = at.unwrap_or((Currency::USD, Amount::units(1)));
            let amount = |figure: FemtoUsd| {
                Amount(i128::from(figure.rounded()?.0)).share(rate.0.unsigned_abs(), NANOS.unsigned_abs())
            };
            let sum = Sum { list: amount(used.list)?, cost: used.cost.map(amount).transpose()?, ..used.sum };
            pieces.push((of("usage", Some(model), currency, at.is_some()), sum));
        }
        if let Some(invoice) = &invoice {
            for line in &invoice.lines {
                let (what, model) = named(&line.kind);
                pieces.push((of(what, model, invoice.currency, true), Sum::charged(line.amount)));
            }
            if invoice.credited_subtotal != Amount::ZERO {
                let back = Sum::charged(invoice.credited_subtotal.negated());
                pieces.push((of("credit_note", None, invoice.currency, true), back));
            }
        }
        Ok(pieces)
    }

    /// What a month used, by model.
    async fn used(&self, tenant: TenantId, month: Period) -> Result<BTreeMap<String, Used>> {
        let mut models: BTreeMap<String, Used> = BTreeMap::new();
        for (key, row) in self.aggregator.total(tenant, month).await?.unwrap_or_default().rows {
            let used = models
                .entry(key.model.clone())
                .or_insert_with(|| Used { cost: Some(FemtoUsd::default()), ..Used::default() });
            let own_key_tokens = if key.byok { row.tokens()?.0 } else { 0 };
            used.sum.add(&Sum { requests: row.requests, usage: row.usage, own_key_tokens, ..Sum::default() })?;
            if key.byok {
                continue;
            }
            let version = self.catalogues.version(&key.prices).await?;
            let model = version.models.get(&key.model);
            if let Some(model) = model {
                used.list = used.list.plus(rate_exactly(&row.usage, &model.price)?)?;
            }
            used.cost = match (used.cost, model.and_then(|model| model.cost)) {
                (Some(sum), Some(cost)) => Some(sum.plus(rate_exactly(&row.usage, &cost)?)?),
                (None, _) | (_, None) => None,
            };
        }
        Ok(models)
    }

    /// What an invoice is in, and what one USD is in it by its last plan; `None` if it has no plan.
    async fn rate(&self, invoice: &Invoice) -> Result<Option<(Currency, Amount)>> {
        if invoice.currency == Currency::USD {
            return Ok(Some((Currency::USD, Amount::units(1))));
        }
        let plan = invoice.plans.last().and_then(|plan| plan.rsplit_once('@'));
        let Some((name, effective)) = plan.and_then(|(name, at)| Some((name, Timestamp::parse(at)?))) else {
            return Ok(None);
        };
        Ok(Some((invoice.currency, self.plans.get(name, effective).await?.usd)))
    }
}

/// What a line is for, as reports have it.
fn named(kind: &LineKind) -> (&'static str, Option<&String>) {
    match kind {
        LineKind::Usage { model, .. } => ("usage", Some(model)),
        LineKind::Base => ("base", None),
        LineKind::Seats => ("seats", None),
        LineKind::Tiers => ("tiers", None),
        LineKind::Included => ("included", None),
        LineKind::Trial => ("trial", None),
        LineKind::Cap => ("cap", None),
        LineKind::Minimum => ("minimum", None),
        LineKind::Discount => ("discount", None),
        LineKind::Adjustment => ("adjustment", None),
    }
}

fn row(group: Group, sum: &Sum) -> Result<RevenueRow> {
    let revenue = group.invoiced.then_some(sum.revenue);
    let margin = match (revenue, sum.cost) {
        (Some(revenue), Some(cost)) => Some(revenue.minus(cost)?),
        (None, _) | (_, None) => None,
    };
    Ok(RevenueRow {
        tenant: group.tenant,
        month: group.month.map(|month| month.to_string()),
        what: group.what.map(str::to_owned),
        model: group.model,
        invoiced: group.invoiced,
        currency: group.currency,
        requests: sum.requests,
        input_tokens: sum.usage.input_tokens.0,
        output_tokens: sum.usage.output_tokens.0,
        own_key_tokens: sum.own_key_tokens,
        list: sum.list,
        revenue,
        cost: sum.cost,
        margin,
        margin_percent: margin.and_then(|margin| part(margin, revenue?)),
    })
}

/// A part in percent; `None` of nothing.
fn part(part: Amount, whole: Amount) -> Option<Percent> {
    let parts = part.0.checked_mul(1_000_000)?.checked_div(whole.0)?;
    i64::try_from(parts).ok().map(Percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(invoiced: bool) -> Group {
        Group { tenant: None, month: None, what: None, model: None, invoiced, currency: Currency::EUR }
    }

    #[test]
    fn what_is_not_known_is_not_nothing() {
        let mut sum = Sum::charged(Amount::units(10));
        sum.add(&Sum { cost: Some(Amount::units(4)), ..Sum::default() }).unwrap();
        let known = row(group(true), &sum).unwrap();
        assert_eq!((known.margin, known.margin_percent), (Some(Amount::units(6)), Percent::parse("60")));
        sum.add(&Sum { cost: None, ..Sum::default() }).unwrap();
        let unknown = row(group(true), &sum).unwrap();
        assert_eq!((unknown.revenue, unknown.cost, unknown.margin), (Some(Amount::units(10)), None, None));
        let open = row(group(false), &Sum::default()).unwrap();
        assert_eq!((open.revenue, open.margin, open.cost), (None, None, Some(Amount::ZERO)));
    }

    #[test]
    fn of_no_revenue_there_is_no_part() {
        assert_eq!(part(Amount::units(-5), Amount::ZERO), None);
        assert_eq!(part(Amount::units(-5), Amount::units(10)), Percent::parse("-50"));
        assert_eq!(part(Amount::units(1), Amount::units(3)), Percent::parse("33.3333"));
    }
}
