//! How many entries of the ledger a core makes into invoices: counts a million of them into hours, adds the hours up, and rates
//! the months. Prints one line of JSON.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use lmo_shared::{
    billing::{Account, Plan, Statement, Used, charged, plans_from_toml, rate, segments},
    clock::{Granularity, Period, Timestamp},
    id::{KeyId, RequestId},
    llm::{
        Usage,
        catalogue::{Catalogue, Price},
    },
    money::{NanoUsd, Tokens},
    usage::{Entry, Outcome, Total, expires_at},
};
use serde_json::json;

const ENTRIES: u64 = 1_000_000;
const TENANTS: u64 = 20;
const KEYS: u64 = 4;
const ROUNDS: usize = 5;

/// A tenant's month: its plan, and its ledger in the order of its requests.
struct Month {
    plan: Plan,
    requests: Vec<(RequestId, Entry)>,
}

fn main() {
    let start = Timestamp::parse("2026-11-01").expect("a time");
    let catalogue = Catalogue::from_toml(include_str!("../../models.toml"), start).expect("the example");
    let plans = plans_from_toml(include_str!("../../plans.toml"), start).expect("the example");
    let months: Vec<_> = (0..TENANTS).map(|tenant| month(tenant, start, &catalogue, &plans)).collect();
    let mut best = [Duration::MAX; 3];
    let mut lines = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let hours: Vec<_> = months.iter().map(|month| hours(month).expect("no overflow")).collect();
        let counted = began.elapsed();
        let totals: Vec<_> = hours.iter().map(|hours| sum(hours).expect("no overflow")).collect();
        let added = began.elapsed().saturating_sub(counted);
        let statements: Vec<_> =
            months.iter().zip(&totals).map(|(month, total)| invoice(month, total, start, &catalogue)).collect();
        let rated = began.elapsed();
        lines = statements.iter().map(|statement| statement.lines.len()).sum();
        black_box(statements);
        for (best, took) in best.iter_mut().zip([counted, added, rated]) {
            *best = took.min(*best);
        }
    }
    let a_second = |number: u64, took: Duration| u128::from(number) * 1_000_000_000 / took.as_nanos().max(1);
    let [counted, added, all] = best;
    let result = json!({
        "bench": "rating",
        "entries": ENTRIES,
        "tenants": TENANTS,
        "lines": lines,
        "entries_per_second": a_second(ENTRIES, all),
        "counted_per_second": a_second(ENTRIES, counted),
        "adding_ms": added.as_secs_f64() * 1000.0,
        "invoices_per_second_from_totals": a_second(TENANTS, rating_alone(&months, start, &catalogue)),
    });
    println!("{result}");
}

/// Models, keys and sizes in turn.
fn month(tenant: u64, start: Timestamp, catalogue: &Catalogue, plans: &[Plan]) -> Month {
    let models: Vec<_> = catalogue.models.keys().collect();
    let of = |number: u64, most: usize| usize::try_from(number).expect("few") % most;
    let number = ENTRIES / TENANTS;
    let apart = 30 * 24 * 3_600_000 / number;
    let keys: Vec<_> = (0..KEYS).map(|_| KeyId::new(start)).collect();
    let request = |place: u64| {
        let id = RequestId::new(Timestamp(start.0 + place * apart));
        let usage = Usage {
            input_tokens: Tokens(200 + place % 5_000),
            cached_input_tokens: Tokens(place % 200),
            output_tokens: Tokens(50 + place % 700),
            ..Usage::default()
        };
        let entry = Entry {
            key: keys[of(place, keys.len())],
            model: models[of(place / 3 + tenant, models.len())].clone(),
            prices: if place * 2 < number { "000001793491200000" } else { "000001794700800000" }.to_owned(),
            usage,
            nano_usd: NanoUsd(place),
            byok: place.is_multiple_of(50),
            estimated: false,
            unbilled: Tokens::ZERO,
            outcome: Outcome::Answered,
            attempts: 1,
            failed_attempts: Vec::new(),
            first_ms: None,
            total_ms: 900,
            expires_at: expires_at(id),
        };
        (id, entry)
    };
    Month { plan: plans[of(tenant, plans.len())].clone(), requests: (0..number).map(request).collect() }
}

fn hours(month: &Month) -> lmo_shared::error::Result<Vec<Total>> {
    let mut hours: BTreeMap<Period, Total> = BTreeMap::new();
    for (id, entry) in &month.requests {
        hours.entry(Period::of(Granularity::Hour, id.made_at())).or_default().count(entry)?;
    }
    Ok(hours.into_values().collect())
}

fn sum(hours: &[Total]) -> lmo_shared::error::Result<Total> {
    let mut total = Total::default();
    hours.iter().try_for_each(|hour| total.merge(hour))?;
    Ok(total)
}

fn invoice(month: &Month, total: &Total, start: Timestamp, catalogue: &Catalogue) -> Statement {
    let end = Period::month(start).end();
    let mut parts = segments((start, end), &[(start, month.plan.clone())], None, None);
    for part in &mut parts {
        part.usage = charged(total).expect("no overflow");
        let price = |used: &Used| -> Price { catalogue.models[&used.model].price };
        part.list = part.usage.keys().map(|used| (used.clone(), price(used))).collect();
    }
    let currency = month.plan.currency;
    let account =
        Account { from: start, to: end, currency, segments: parts, discounts: Vec::new(), adjustments: Vec::new() };
    rate(&account).expect("an account that makes sense")
}

fn rating_alone(months: &[Month], start: Timestamp, catalogue: &Catalogue) -> Duration {
    let totals: Vec<_> =
        months.iter().map(|month| sum(&hours(month).expect("no overflow")).expect("no overflow")).collect();
    let round = || {
        let began = Instant::now();
        for (month, total) in months.iter().zip(&totals) {
            black_box(invoice(month, total, start, catalogue));
        }
        began.elapsed()
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}
