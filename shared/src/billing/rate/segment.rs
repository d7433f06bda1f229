//! A part of a period on one plan: fees, usage, what is included, what is capped, and the minimum.

use super::{
    Amount, Error, LineKind, Result,
    lines::{Lines, Said, Span},
    metered, tiers,
};
use crate::billing::{Overage, Plan, Segment, Trial};

/// A day of a trial, in milliseconds.
const DAY: u128 = 86_400_000;

/// Adds the segment's lines. `before` is what the usage of the segments before it came to; returns what its own does.
pub(super) fn rate(segment: &Segment, before: Amount, lines: &mut Lines) -> Result<Amount> {
    let (plan, span) = (&segment.plan, Span { from: segment.from, to: segment.to });
    let trial = trial_of(segment)?;
    let fees = if trial.is_some() { Amount::ZERO } else { fees(segment, span, lines)? };

    let metered = metered::rate(segment, span, lines)?;
    let mut usage = metered.plus(tiers::rate(segment, span, lines)?)?;
    let included = lines.prorated(plan.included_credit, span)?;
    usage = lines.take_off(span, Said::plain(LineKind::Included, "Included credit"), included, usage)?;
    if let Some(trial) = trial {
        let share = trial.credit.share(span.millis(), u128::from(trial.days) * DAY)?.min(trial.credit);
        usage = lines.take_off(span, Said::plain(LineKind::Trial, "Trial credit"), share, usage)?;
    }
    if let Some(most) = most_charged(plan) {
        let beyond = usage.minus(most.minus(before)?.or_zero())?;
        usage = lines.take_off(span, Said::plain(LineKind::Cap, "Beyond the plan's cap"), beyond, usage)?;
    }
    if trial.is_none() {
        minimum(plan, fees.plus(usage)?, span, lines)?;
    }
    Ok(usage)
}

/// The plan's trial, if the segment lies in the tenant's. A plan without one is charged from its first instant.
fn trial_of(segment: &Segment) -> Result<Option<&Trial>> {
    match (&segment.plan.trial, segment.trial_until) {
        (Some(trial), Some(until)) if segment.to <= until => Ok(Some(trial)),
        (Some(_), Some(until)) if segment.from < until => {
            Err(Error::internal("a part of a period across a trial's end"))
        }
        (Some(_) | None, Some(_) | None) => Ok(None),
    }
}

/// The most that usage of a month may come to.
fn most_charged(plan: &Plan) -> Option<Amount> {
    match plan.overage {
        Overage::Charged | Overage::Prepaid => None,
        Overage::UpTo(most) => Some(most),
        Overage::Refused => Some(Amount::ZERO),
    }
}

fn fees(segment: &Segment, span: Span, lines: &mut Lines) -> Result<Amount> {
    let plan = &segment.plan;
    let mut fees = Amount::ZERO;
    if plan.base_fee > Amount::ZERO {
        let said = Said { unit_price: Some(plan.base_fee), ..Said::plain(LineKind::Base, plan.title.clone()) };
        fees = fees.plus(lines.add(span, said, lines.prorated(plan.base_fee, span)?)?)?;
    }
    if let Some(seats) = &plan.seats {
        let number = segment.seats.saturating_sub(seats.included);
        if number > 0 && seats.fee > Amount::ZERO {
            let said = Said {
                quantity: Some(u64::from(number)),
                unit_price: Some(seats.fee),
                ..Said::plain(LineKind::Seats, "Members")
            };
            let month = Amount(seats.fee.0 * i128::from(number));
            fees = fees.plus(lines.add(span, said, lines.prorated(month, span)?)?)?;
        }
    }
    Ok(fees)
}

/// What is missing of the minimum. `so_far` is a sum of lines.
fn minimum(plan: &Plan, so_far: Amount, span: Span, lines: &mut Lines) -> Result<()> {
    let missing = lines.prorated(plan.minimum, span)?.minus(so_far)?;
    if missing > Amount::ZERO {
        let said = Said { unit_price: Some(plan.minimum), ..Said::plain(LineKind::Minimum, "Minimum commitment") };
        lines.add(span, said, missing)?;
    }
    Ok(())
}
