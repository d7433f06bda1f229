//! Rating: from what was used, under which plan and for how long, to the lines of an invoice. It is a pure function of whole
//! totals, so that it doesn't matter in which pieces and in which order usage came. docs/billing.md has the rules in prose.

use std::collections::BTreeMap;

use super::{
    Account, Adjustment, Amount, Line, LineKind, Off, Statement, Used,
    amount::{half_up, overflow},
};
use crate::{
    error::{Error, Result},
    llm::Usage,
    usage::Total,
};

mod deductions;
mod lines;
mod metered;
mod parts;
mod price;
mod segment;
mod tiers;

pub use parts::segments;
pub(super) use price::{at_list, of_kind, of_list};

use lines::Lines;

/// What is to be paid for a period, before tax.
///
/// # Errors
/// `Internal` if the account contradicts itself (parts that overlap, a plan in another currency or that breaks its own
/// rules, usage without a price), or if an amount is beyond all measure.
pub fn rate(account: &Account) -> Result<Statement> {
    consistent(account)?;
    let mut lines = Lines::new(account);
    let mut usage = Amount::ZERO;
    for segment in account.segments.iter().filter(|segment| segment.from < segment.to) {
        usage = usage.plus(segment::rate(segment, usage, &mut lines)?)?;
    }
    deductions::discounts(&account.discounts, &mut lines)?;
    let carried = deductions::adjustments(&account.adjustments, &mut lines)?;
    let subtotal = lines.sum();
    Ok(Statement { currency: account.currency, lines: lines.into_lines(), subtotal, carried })
}

/// What of a total is to be paid, by what its price depends on: all but what was asked with keys of the tenant's own.
///
/// # Errors
/// `Internal` on overflow.
pub fn charged(total: &Total) -> Result<BTreeMap<Used, Usage>> {
    let mut charged = BTreeMap::new();
    for (key, row) in total.rows.iter().filter(|(key, _)| !key.byok) {
        let used = Used { model: key.model.clone(), prices: key.prices.clone() };
        let sum: &mut Usage = charged.entry(used).or_default();
        *sum = sum.plus(&row.usage)?;
    }
    Ok(charged)
}

fn consistent(account: &Account) -> Result<()> {
    let wrong = |what: &'static str| Err(Error::internal(what));
    if account.from >= account.to {
        return wrong("a period without a length");
    }
    let mut end = account.from;
    for segment in &account.segments {
        if segment.from < end || segment.to < segment.from || segment.to > account.to {
            return wrong("parts of a period that overlap or lie outside of it");
        }
        if segment.from == segment.to && !segment.usage.is_empty() {
            return wrong("usage in no time");
        }
        if segment.plan.currency != account.currency {
            return wrong("a plan in another currency than the account");
        }
        segment.plan.check().map_err(|_| Error::internal("a plan that breaks its own rules"))?;
        end = segment.to;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
