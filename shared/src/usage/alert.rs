//! Alerts: a tenant is told once when 50, 80 and 100 % of a monthly cap are spent, by webhook and by letter.
//!
//! They are raised by the sweep, which reads the meters and the marker of an active tenant anyway, so they cost nobody a
//! read. What was raised is noted in the marker in the transaction that writes the event, so no second sweep, and no
//! replay of the stream, which has no part in it, raises one again.

use aws_sdk_dynamodb::types::Update;

use super::letters;
use crate::{
    clock::{Period, Timestamp},
    error::{Error, Result},
    id::TenantId,
    quota::{Active, Meter},
    store::{Change, Committed, Table, keys::MeterScope, number},
    tenant::Tenants,
    webhook::{Event, Measure, Reached, announce},
};

/// Which parts of a cap are told of, in percent.
const PERCENTS: [u8; 3] = [50, 80, 100];

/// Raises what is to be raised of a tenant's month. The tenant is read only if its meters say that there is something.
///
/// # Errors
/// `Unavailable` if the table can't be reached; the next sweep raises it.
pub(super) async fn raise(
    table: &Table,
    tenant: TenantId,
    month: Period,
    active: Active,
    meters: &[(MeterScope, Meter)],
    now: Timestamp,
) -> Result<()> {
    let of_tenant: Vec<_> = meters.iter().filter(|(scope, _)| matches!(scope, MeterScope::Tenant(_))).collect();
    let alerted = [(Measure::Tokens, active.alerted_tokens), (Measure::Money, active.alerted_nano_usd)];
    // A sub-meter that nobody needed yet is not there, so this is at most the cap.
    let capped = |measure| of_tenant.iter().map(|(_, meter)| meter.cap_of(measure)).sum();
    let spent = |measure| of_tenant.iter().map(|(_, meter)| meter.spent_of(measure)).sum();
    if alerted.iter().all(|(measure, before)| crossed(spent(*measure), capped(*measure), *before).is_empty()) {
        return Ok(());
    }
    let Some(limits) = Tenants::new(table.clone()).find(tenant).await?.map(|tenant| tenant.limits) else {
        return Ok(());
    };
    for (measure, before) in alerted {
        let limit = match measure {
            Measure::Tokens => limits.monthly_tokens,
            Measure::Money => limits.monthly_nano_usd,
        };
        let percents = crossed(spent(measure), limit, before);
        let Some(last) = percents.last() else { continue };
        let mut change = Change::new(table);
        change.update(noted(table, tenant, month, measure, before, *last)?);
        for percent in &percents {
            let (spent, limit) = (spent(measure), limit.unwrap_or_default());
            let reached = Reached { month, measure, percent: *percent, spent, limit };
            letters::note(&mut change, tenant, now, &reached)?;
            announce(&mut change, tenant, now, &Event::QuotaReached(reached))?;
        }
        match change.commit().await? {
            // Refused: another sweep was quicker.
            Committed::Yes | Committed::Refused(_) => {}
        }
    }
    Ok(())
}

/// The parts of a cap that are spent, above the one that was told of before.
fn crossed(spent: u64, limit: Option<u64>, before: u8) -> Vec<u8> {
    let Some(limit) = limit.filter(|limit| *limit > 0) else { return Vec::new() };
    let is_spent = |percent: &u8| u128::from(spent) * 100 >= u128::from(limit) * u128::from(*percent);
    PERCENTS.into_iter().filter(|percent| *percent > before).filter(is_spent).collect()
}

/// Notes in the marker how far was told, if it says that nobody else did since it was read.
fn noted(table: &Table, tenant: TenantId, month: Period, measure: Measure, before: u8, last: u8) -> Result<Update> {
    let attribute = match measure {
        Measure::Tokens => "alerted_tokens",
        Measure::Money => "alerted_nano_usd",
    };
    let as_read = match before {
        0 => format!("attribute_exists(pk) AND (attribute_not_exists({attribute}) OR {attribute} = :before)"),
        _ => format!("{attribute} = :before"),
    };
    let update = table.active(month).update_in_transaction(&tenant.to_string());
    let update = update.update_expression(format!("SET {attribute} = :last")).condition_expression(as_read);
    let update = update.expression_attribute_values(":before", number(before));
    update.expression_attribute_values(":last", number(last)).build().map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_told_of_once() {
        assert_eq!(crossed(499, Some(1_000), 0), [0; 0]);
        assert_eq!(crossed(500, Some(1_000), 0), [50]);
        assert_eq!(crossed(799, Some(1_000), 50), [0; 0]);
        assert_eq!(crossed(800, Some(1_000), 50), [80]);
        assert_eq!(crossed(1_000, Some(1_000), 80), [100]);
        assert_eq!(crossed(2_000, Some(1_000), 100), [0; 0]);
    }

    #[test]
    fn who_jumps_is_told_of_all_that_was_jumped_over() {
        assert_eq!(crossed(900, Some(1_000), 0), [50, 80]);
        assert_eq!(crossed(u64::MAX, Some(u64::MAX), 0), [50, 80, 100]);
    }

    #[test]
    fn after_a_higher_cap_nothing_is_told_twice() {
        assert_eq!(crossed(1_000, Some(2_000), 80), [0; 0]);
        assert_eq!(crossed(2_000, Some(2_000), 80), [100]);
    }

    #[test]
    fn without_a_cap_there_is_nothing_to_tell() {
        assert_eq!(crossed(u64::MAX, None, 0), [0; 0]);
        assert_eq!(crossed(0, Some(0), 0), [0; 0]);
    }
}
