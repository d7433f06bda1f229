//! What happened to a tenant in a month: what both ways of rating begin with.

use std::collections::BTreeMap;

use lmo_shared::{
    billing::{Adjustment, Currency, Discount, Plan},
    clock::Timestamp,
    id::{KeyId, RequestId},
    llm::{Usage, catalogue::Price},
    money::{NanoUsd, Tokens},
    usage::{Entry, Outcome, expires_at},
};

/// The catalogue's prices by version and model.
pub type Prices = BTreeMap<String, BTreeMap<String, Price>>;

/// A tenant's month.
#[derive(Debug, Clone)]
pub struct History {
    pub from: Timestamp,
    pub to: Timestamp,
    pub currency: Currency,
    /// Each from a time on, in order.
    pub terms: Vec<(Timestamp, Plan)>,
    pub ended_at: Option<Timestamp>,
    pub trial_until: Option<Timestamp>,
    /// How many members there were from a time on, in order.
    pub seats: Vec<(Timestamp, u32)>,
    pub requests: BTreeMap<RequestId, Entry>,
    pub discounts: Vec<Discount>,
    pub adjustments: Vec<Adjustment>,
}

impl History {
    /// The most members that there were at once between two instants.
    pub fn most_seats(&self, from: Timestamp, to: Timestamp) -> u32 {
        let until = |place: usize| self.seats.get(place + 1).map_or(Timestamp(u64::MAX), |(at, _)| *at);
        let during = self.seats.iter().enumerate().filter(|(place, (at, _))| *at < to && until(*place) > from);
        during.map(|(_, (_, number))| *number).max().unwrap_or(0)
    }
}

/// A request in the ledger, as far as rating looks at it.
pub fn entry(id: RequestId, model: &str, prices: &str, usage: Usage, byok: bool) -> Entry {
    Entry {
        key: KeyId::new(Timestamp(1)),
        model: model.to_owned(),
        prices: prices.to_owned(),
        usage,
        nano_usd: NanoUsd::ZERO,
        byok,
        estimated: false,
        unbilled: Tokens::ZERO,
        outcome: Outcome::Answered,
        attempts: 1,
        failed_attempts: Vec::new(),
        first_ms: None,
        total_ms: 1,
        expires_at: expires_at(id),
    }
}
