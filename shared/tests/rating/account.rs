//! The product's way: requests are counted into totals, and the totals of each part of the month are rated.

use std::collections::BTreeMap;

use lmo_shared::{
    billing::{Account, Statement, charged, rate, segments},
    clock::{Granularity, Period},
    llm::catalogue::Price,
    usage::Total,
};
use rand::{rngs::StdRng, seq::SliceRandom};

use crate::history::{History, Prices};

/// The account of a month, its hours counted one by one and added up in any order.
pub fn account(history: &History, prices: &Prices, order: &mut StdRng) -> Account {
    let month = (history.from, history.to);
    let mut parts = segments(month, &history.terms, history.ended_at, history.trial_until);
    for part in &mut parts {
        let mut hours: BTreeMap<Period, Total> = BTreeMap::new();
        for (id, entry) in history.requests.iter().filter(|(id, _)| (part.from..part.to).contains(&id.made_at())) {
            hours.entry(Period::of(Granularity::Hour, id.made_at())).or_default().count(entry).unwrap();
        }
        let mut hours: Vec<_> = hours.into_values().collect();
        hours.shuffle(order);
        let mut total = Total::default();
        for hour in &hours {
            total.merge(hour).unwrap();
        }
        part.seats = history.most_seats(part.from, part.to);
        part.usage = charged(&total).unwrap();
        let listed = |used: &lmo_shared::billing::Used| -> Price { prices[&used.prices][&used.model] };
        part.list = part.usage.keys().map(|used| (used.clone(), listed(used))).collect();
    }
    Account {
        from: history.from,
        to: history.to,
        currency: history.currency,
        segments: parts,
        discounts: history.discounts.clone(),
        adjustments: history.adjustments.clone(),
    }
}

pub fn rated(history: &History, prices: &Prices, order: &mut StdRng) -> Statement {
    rate(&account(history, prices, order)).unwrap()
}
