//! A year of tenants: they come, try, change plans, redeem coupons, have late usage and credits, and leave.

use std::{collections::BTreeMap, time::Duration};

use lmo_shared::{
    billing::{Adjustment, Amount, Currency, Discount, Off, Plan},
    clock::{Period, Timestamp},
    id::RequestId,
    llm::Usage,
    money::Tokens,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    history::{History, Prices, entry},
    made_up::{MODELS, PLANS, currency, money, percent, plan, prices, usage},
};

/// Versions of the catalogue by the time from which each holds: two of them take effect in the middle of a month.
const VERSIONS: [(&str, &str); 4] = [
    ("v1", "2025-12-01T00:00:00Z"),
    ("v2", "2026-03-17T13:37:00.123Z"),
    ("v3", "2026-07-01T00:00:00Z"),
    ("v4", "2026-10-09T23:59:59.999Z"),
];

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub fn catalogue() -> Prices {
    prices(&mut StdRng::seed_from_u64(2026), &VERSIONS.map(|(version, _)| version))
}

fn version_at(at_time: Timestamp) -> &'static str {
    VERSIONS.iter().rfind(|(_, from)| at(from) <= at_time).map(|(version, _)| *version).unwrap()
}

/// A tenant, month by month.
pub struct Tenant {
    rng: StdRng,
    terms: Vec<(Timestamp, Plan)>,
    ended_at: Option<Timestamp>,
    trial_until: Option<Timestamp>,
    coupons: Vec<(Discount, Period, u32)>,
    month: Period,
}

impl Tenant {
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut of = currency(["USD", "EUR", "JPY", "KWD"][usize::try_from(seed % 4).unwrap()]);
        let january = Period::month(at("2026-01-01"));
        let kind = usize::try_from(seed / 4).unwrap() % PLANS;
        let mut terms = vec![(instant(&mut rng, january.start(), at("2026-04-01")), plan(&mut rng, of, kind))];
        let trial = terms[0].1.trial.as_ref().map(|trial| Duration::from_hours(u64::from(trial.days) * 24));
        let trial_until = trial.map(|trial| terms[0].0.after(trial));
        for _ in 0..rng.random_range(0..6) {
            let last = terms.last().unwrap().0;
            let mut from = instant(&mut rng, last, at("2027-01-01"));
            // Another currency begins with a month.
            if rng.random_bool(0.15) && from < at("2026-12-01") {
                from = Period::month(from).next().start();
                of = currency(["USD", "EUR", "JPY", "KWD"][rng.random_range(0..4)]);
            }
            let kind = rng.random_range(0..PLANS);
            terms.push((from, plan(&mut rng, of, kind)));
        }
        let last = terms.last().unwrap().0;
        let ended_at = rng.random_bool(0.2).then(|| instant(&mut rng, last, at("2027-01-01")));
        Self { rng, terms, ended_at, trial_until, coupons: Vec::new(), month: january.previous() }
    }

    /// Leaves months out.
    pub fn skip(&mut self, months: usize) {
        (0..months).for_each(|_| self.month = self.month.next());
    }

    /// The next month of the year, with what the one before left over.
    pub fn next_month(&mut self, carried: Amount, catalogue: &Prices) -> Option<History> {
        self.month = self.month.next();
        let (from, to) = (self.month.start(), self.month.end());
        if from >= at("2027-01-01") {
            return None;
        }
        let before = self.terms.iter().rposition(|(since, _)| *since <= from).unwrap_or(0);
        let terms: Vec<_> = self.terms[before..].iter().filter(|(since, _)| *since < to).cloned().collect();
        let of = terms.last().map_or(self.terms[0].1.currency, |(_, plan)| plan.currency);
        let mut adjustments = self.adjustments(of);
        if carried < Amount::ZERO {
            adjustments.insert(0, Adjustment { text: "Carried".to_owned(), amount: carried });
        }
        let mut history = History {
            from,
            to,
            currency: of,
            terms,
            ended_at: self.ended_at,
            trial_until: self.trial_until,
            seats: (0..self.rng.random_range(1..4)).map(|_| self.rng.random_range(0..9)).map(|n| (from, n)).collect(),
            requests: BTreeMap::new(),
            discounts: self.discounts(of),
            adjustments,
        };
        for (since, _) in history.seats.iter_mut().skip(1) {
            *since = instant(&mut self.rng, from, to);
        }
        history.seats.sort_by_key(|(since, _)| *since);
        self.requests(&mut history, catalogue);
        Some(history)
    }

    fn adjustments(&mut self, of: Currency) -> Vec<Adjustment> {
        let number = [0, 0, 0, 1, 2][self.rng.random_range(0..5)];
        let adjustment = |number| {
            let most = [3, 200][self.rng.random_range(0..2)];
            let amount = money(&mut self.rng, of, most);
            let amount = if self.rng.random_bool(0.5) { amount } else { amount.negated() };
            Adjustment { text: format!("Adjustment {number}"), amount }
        };
        (0..number).map(adjustment).collect()
    }

    fn discounts(&mut self, of: Currency) -> Vec<Discount> {
        if self.rng.random_bool(0.1) {
            let off = if self.rng.random_bool(0.5) {
                Off::Percent(percent(&mut self.rng, 0..=100))
            } else {
                Off::Amount(money(&mut self.rng, of, 30))
            };
            let code = format!("COUPON-{}", self.coupons.len());
            self.coupons.push((Discount { code, off }, self.month, self.rng.random_range(1..6)));
        }
        self.coupons.iter_mut().for_each(|(_, _, left)| *left = left.saturating_sub(1));
        self.coupons.iter().filter(|(_, _, left)| *left > 0).map(|(discount, _, _)| discount.clone()).collect()
    }

    fn requests(&mut self, history: &mut History, catalogue: &Prices) {
        let mut edges: Vec<_> = history.terms.iter().map(|(since, _)| *since).chain(history.trial_until).collect();
        edges.push(history.from);
        let equal = self.rng.random_bool(0.2);
        for _ in 0..self.rng.random_range(0..if equal { 40 } else { 130 }) {
            let mut made_at = instant(&mut self.rng, history.from, history.to);
            // Some in the very milliseconds at which something changes.
            let edge = edges[self.rng.random_range(0..edges.len())].0 + self.rng.random_range(0..3) - 1;
            if self.rng.random_bool(0.1) && (history.from.0..history.to.0).contains(&edge) {
                made_at = Timestamp(edge);
            }
            // A function may keep the catalogue for half a minute.
            let version = version_at(made_at.before(Duration::from_secs(self.rng.random_range(0..30))));
            let model = MODELS[self.rng.random_range(0..MODELS.len())];
            let (id, byok) = (RequestId::new(made_at), self.rng.random_bool(0.1));
            assert!(catalogue[version].contains_key(model));
            let usage = if equal { a_thousand() } else { usage(&mut self.rng) };
            history.requests.insert(id, entry(id, model, version, usage, byok));
        }
    }
}

fn a_thousand() -> Usage {
    Usage { input_tokens: Tokens(1_000), ..Usage::default() }
}

/// From one time on and before another; often at a month's first or last millisecond.
fn instant(rng: &mut StdRng, from: Timestamp, to: Timestamp) -> Timestamp {
    let any = Timestamp(rng.random_range(from.0..to.0.max(from.0 + 1)));
    let month = Period::month(any);
    let special = match rng.random_range(0..10) {
        0 => month.start(),
        1 => month.end().before(Duration::from_millis(1)),
        2 => month.end().before(Duration::from_secs(1)),
        _ => any,
    };
    if (from..to).contains(&special) { special } else { any }
}
