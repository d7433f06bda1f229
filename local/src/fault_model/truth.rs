//! What is true: a plain sum over the ledger's entries, which all totals have to equal.

use std::collections::{BTreeMap, BTreeSet};

use lmo_shared::{
    clock::{Clock, Granularity, Period},
    id::{KeyId, RequestId, TenantId},
    store::Table,
    usage::{Aggregator, Books, Entry, Outcome, TotalRow},
};
use serde::Deserialize;

/// Period, key, model, version of the prices, and whether it was asked with a key of the tenant's own.
type Row = (Period, KeyId, String, String, bool);
/// Requests, failed, estimated, input, cached input, output, reasoning, nano-USD.
type Sums = [u64; 10];

/// The requests in a tenant's ledger.
pub async fn requests(table: &Table, tenant: TenantId, hours: &BTreeSet<Period>) -> Vec<(RequestId, Entry)> {
    #[derive(Deserialize)]
    struct Line {
        sk: String,
        #[serde(flatten)]
        entry: Entry,
    }
    let mut requests = Vec::new();
    for hour in hours {
        let lines = table.tenant(tenant).ledger(*hour).all::<Line>().collect().await.expect("the ledger");
        requests.extend(lines.into_iter().map(|line| (RequestId::parse(&line.sk).expect("an id"), line.entry)));
    }
    requests
}

/// Compares all totals of a tenant with its ledger.
pub async fn compare(table: &Table, clock: &Clock, tenant: TenantId, hours: &BTreeSet<Period>) -> Result<u64, String> {
    let requests = requests(table, tenant, hours).await;
    let mut truth: BTreeMap<Row, Sums> = BTreeMap::new();
    for (id, entry) in &requests {
        for granularity in [Granularity::Hour, Granularity::Day, Granularity::Month] {
            let period = Period::of(granularity, id.made_at());
            let row = (period, entry.key, entry.model.clone(), entry.prices.clone(), entry.byok);
            let sums = truth.entry(row).or_default();
            for (sum, one) in sums.iter_mut().zip(of_entry(entry)) {
                *sum += one;
            }
        }
    }
    let aggregator = Aggregator::new(table.clone(), clock.clone());
    let mut found: BTreeMap<Row, Sums> = BTreeMap::new();
    for period in periods(hours) {
        let total = aggregator.total(tenant, period).await.map_err(|error| error.to_string())?.unwrap_or_default();
        for (key, row) in &total.rows {
            let of = (period, key.key, key.model.clone(), key.prices.clone(), key.byok);
            found.insert(of, of_row(row));
        }
        let entries = requests.iter().filter(|(id, _)| Period::of(period.granularity, id.made_at()) == period).count();
        if total.n != entries as u64 {
            return Err(format!("{tenant} {period}: counts {} entries of {entries}", total.n));
        }
    }
    let wrong = truth.iter().find(|(row, sums)| found.get(row) != Some(sums));
    if let Some((row, sums)) = wrong {
        return Err(format!("{tenant} {row:?}: {:?} instead of {sums:?}", found.get(row)));
    }
    if found.len() != truth.len() {
        return Err(format!("{tenant}: {} rows instead of {}", found.len(), truth.len()));
    }
    Ok(requests.len() as u64)
}

/// Compares the totals with the meters.
pub async fn compare_books(
    table: &Table,
    clock: &Clock,
    tenant: TenantId,
    hours: &BTreeSet<Period>,
) -> Result<(), String> {
    let books = Books::new(table.clone(), clock.clone());
    for month in hours.iter().map(|hour| Period::month(hour.start())).collect::<BTreeSet<_>>() {
        let difference = books.compare(tenant, month).await.map_err(|error| error.to_string())?;
        if !difference.agree() {
            return Err(format!("{tenant} {month}: the books differ: {difference:?}"));
        }
    }
    Ok(())
}

fn periods(hours: &BTreeSet<Period>) -> BTreeSet<Period> {
    let of = |granularity| move |hour: &Period| Period::of(granularity, hour.start());
    let days = hours.iter().map(of(Granularity::Day));
    let months = hours.iter().map(of(Granularity::Month));
    hours.iter().copied().chain(days).chain(months).collect()
}

fn of_entry(entry: &Entry) -> Sums {
    let failed = matches!(entry.outcome, Outcome::Failed | Outcome::Lost);
    let usage = &entry.usage;
    [
        1,
        u64::from(failed),
        u64::from(entry.estimated),
        usage.input_tokens.0,
        usage.cached_input_tokens.0,
        usage.cache_write_tokens.0,
        usage.output_tokens.0,
        usage.reasoning_tokens.0,
        usage.cache_hit_tokens.0,
        entry.nano_usd.0,
    ]
}

fn of_row(row: &TotalRow) -> Sums {
    let TotalRow { requests, failed, estimated, usage, nano_usd } = row;
    [
        *requests,
        *failed,
        *estimated,
        usage.input_tokens.0,
        usage.cached_input_tokens.0,
        usage.cache_write_tokens.0,
        usage.output_tokens.0,
        usage.reasoning_tokens.0,
        usage.cache_hit_tokens.0,
        nano_usd.0,
    ]
}
