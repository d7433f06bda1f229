//! Rating, checked by a second way to do it that knows the rules alone, and by what must hold of every invoice.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod account;
mod fraction;
mod history;
mod made_up;
mod properties;
mod reference;
mod year;

use std::collections::{BTreeMap, BTreeSet};

use lmo_shared::{
    billing::{Amount, Line, LineKind, Statement},
    clock::Timestamp,
};
use rand::{SeedableRng, rngs::StdRng};

use crate::reference::{Row, Worked};

const TENANTS: u64 = 200;

#[test]
fn a_year_of_200_tenants_is_the_same_by_hand_to_the_nano_unit() {
    let catalogue = year::catalogue();
    let (mut seen, mut invoices, mut requests, mut carried_over) = (BTreeMap::new(), 0, 0, 0);
    let mut currencies = BTreeSet::new();
    for seed in 0..TENANTS {
        let (mut tenant, mut order) = (year::Tenant::new(seed), StdRng::seed_from_u64(seed));
        let mut before = None::<Statement>;
        let carried = |before: &Option<Statement>| before.as_ref().map_or(Amount::ZERO, |before| before.carried);
        while let Some(mut history) = tenant.next_month(carried(&before), &catalogue) {
            // What is left over in another currency is none of this month's.
            if before.as_ref().is_some_and(|before| before.currency != history.currency) {
                history.adjustments.retain(|adjustment| adjustment.text != "Carried");
            }
            let statement = account::rated(&history, &catalogue, &mut order);
            let worked = reference::work_out(&history, &catalogue);
            assert_same(&statement, &worked, &format!("tenant {seed}, {}", history.from));
            statement.lines.iter().for_each(|line| *seen.entry(name(&line.kind)).or_insert(0) += 1);
            invoices += 1;
            requests += history.requests.len();
            carried_over += u32::from(statement.carried < Amount::ZERO);
            currencies.insert(statement.currency);
            before = Some(statement);
        }
    }
    assert_eq!((invoices, currencies.len()), (TENANTS * 12, 4));
    assert!(requests > 100_000 && carried_over > 100, "{requests} requests, {carried_over} carried over");
    // A test of a rule that nobody's month had would be none.
    let kinds = ["adjustment", "base", "cap", "discount", "included", "minimum", "seats", "tiers", "trial", "usage"];
    assert!(kinds.iter().all(|kind| seen.get(*kind).is_some_and(|times| *times > 50)), "{seen:?}");
}

fn name(kind: &LineKind) -> &'static str {
    match kind {
        LineKind::Base => "base",
        LineKind::Seats => "seats",
        LineKind::Usage { .. } => "usage",
        LineKind::Tiers => "tiers",
        LineKind::Included => "included",
        LineKind::Trial => "trial",
        LineKind::Cap => "cap",
        LineKind::Minimum => "minimum",
        LineKind::Discount => "discount",
        LineKind::Adjustment => "adjustment",
    }
}

type Plain = (LineKind, Option<u64>, Option<i128>, i128, i128, Timestamp, Timestamp);

fn assert_same(statement: &Statement, worked: &Worked, whose: &str) {
    let line = |line: &Line| -> Plain {
        let unit = line.unit_price.map(|price| price.0);
        (line.kind.clone(), line.quantity, unit, line.exact.0, line.amount.0, line.from, line.to)
    };
    let row = |row: &Row| -> Plain {
        let unit = row.unit_price.as_ref().map(fraction::Fraction::in_nanos);
        (row.kind.clone(), row.quantity, unit, row.exact.in_nanos(), row.amount.in_nanos(), row.from, row.to)
    };
    let lines: Vec<_> = statement.lines.iter().map(line).collect();
    let rows: Vec<_> = worked.rows.iter().map(row).collect();
    for (number, (line, row)) in lines.iter().zip(&rows).enumerate() {
        assert_eq!(line, row, "{whose}, line {number}");
    }
    assert_eq!(lines.len(), rows.len(), "{whose}");
    let sums = (statement.subtotal.0, statement.carried.0);
    assert_eq!(sums, (worked.subtotal.in_nanos(), worked.carried.in_nanos()), "{whose}");
}
