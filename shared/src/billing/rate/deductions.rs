//! What is taken off at the end: discounts, and what earlier invoices left over or got wrong. Nothing goes below zero.

use super::{
    Adjustment, Amount, Error, LineKind, Off, Result,
    lines::{Lines, Said},
};
use crate::billing::{Discount, Percent};

/// Each of what is left, in order.
pub(super) fn discounts(discounts: &[Discount], lines: &mut Lines) -> Result<()> {
    for discount in discounts {
        let left = lines.sum();
        let (off, share) = match discount.off {
            Off::Percent(percent) if (Percent::ZERO..=Percent::ALL).contains(&percent) => {
                (percent.of(left)?, format!(", {percent} %"))
            }
            Off::Amount(amount) if amount >= Amount::ZERO => (amount, String::new()),
            Off::Percent(_) | Off::Amount(_) => return Err(Error::internal("a discount that is none")),
        };
        let said = Said::plain(LineKind::Discount, format!("Discount {}{share}", discount.code));
        lines.take_off(lines.period, said, off, left)?;
    }
    Ok(())
}

/// First what the tenant owes, then what it is owed, each in order, of what is left. Returns what was not left: zero or
/// negative.
pub(super) fn adjustments(adjustments: &[Adjustment], lines: &mut Lines) -> Result<Amount> {
    let said = |one: &Adjustment| Said::plain(LineKind::Adjustment, one.text.clone());
    let (credits, charges): (Vec<_>, Vec<_>) = adjustments.iter().partition(|one| one.amount < Amount::ZERO);
    for one in charges.into_iter().filter(|one| one.amount > Amount::ZERO) {
        lines.add(lines.period, said(one), one.amount)?;
    }
    let mut carried = Amount::ZERO;
    for one in credits {
        let (whole, left) = (lines.rounded(one.amount)?, lines.sum());
        let rest = lines.take_off(lines.period, said(one), one.amount.negated(), left)?;
        carried = carried.plus(whole.plus(left.minus(rest)?)?)?;
    }
    Ok(carried)
}
