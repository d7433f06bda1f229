//! Invoices worked out by hand: docs/billing.md, "How an invoice is rated", rule by rule, with fractions and request by
//! request. It shares no code with the product but types, and nobody minds that it is slow.

use std::collections::BTreeMap;

use lmo_shared::{
    billing::{Charge, Currency, LineKind, Off, Overage, Plan, PriceRule, Tier, TokenKind},
    clock::Timestamp,
    llm::{Usage, catalogue::Price},
    usage::Entry,
};

use crate::{
    fraction::Fraction,
    history::{History, Prices},
};

/// A line.
#[derive(Debug, Clone)]
pub struct Row {
    pub kind: LineKind,
    pub quantity: Option<u64>,
    pub unit_price: Option<Fraction>,
    pub exact: Fraction,
    pub amount: Fraction,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// An invoice, before tax.
pub struct Worked {
    pub rows: Vec<Row>,
    pub subtotal: Fraction,
    pub carried: Fraction,
}

/// One part of the month.
struct Part<'a> {
    plan: &'a Plan,
    from: Timestamp,
    to: Timestamp,
    in_trial: bool,
    requests: Vec<&'a Entry>,
}

/// Paper.
struct Paper {
    digits: u32,
    from: Timestamp,
    to: Timestamp,
    rows: Vec<Row>,
}

const KINDS: [TokenKind; 6] = [
    TokenKind::Input,
    TokenKind::CachedInput,
    TokenKind::CacheWrite,
    TokenKind::CacheWrite1h,
    TokenKind::Output,
    TokenKind::CacheHit,
];

pub fn work_out(history: &History, prices: &Prices) -> Worked {
    let mut paper = Paper { digits: digits(history.currency), from: history.from, to: history.to, rows: Vec::new() };
    let mut usage_before = Fraction::zero();
    for part in parts(history) {
        let usage = paper.part(&part, history.most_seats(part.from, part.to), usage_before.clone(), prices);
        usage_before = usage_before + usage;
    }
    for discount in &history.discounts {
        let left = paper.come_to(0);
        let off = match &discount.off {
            Off::Percent(percent) => (left.clone() * Fraction::new(percent.0, 1_000_000)).to_digits(9),
            Off::Amount(amount) => Fraction::nanos(amount.0),
        };
        paper.off(LineKind::Discount, off.min(left), (history.from, history.to));
    }
    let mut carried = Fraction::zero();
    for adjustment in history.adjustments.iter().filter(|adjustment| adjustment.amount.0 > 0) {
        let exact = Fraction::nanos(adjustment.amount.0);
        paper.row(LineKind::Adjustment, None, None, &exact, (history.from, history.to));
    }
    for adjustment in history.adjustments.iter().filter(|adjustment| adjustment.amount.0 < 0) {
        let (owed, left) = (Fraction::nanos(-adjustment.amount.0), paper.come_to(0));
        if left < owed {
            carried = carried + left.clone() - owed.to_digits(paper.digits);
        }
        paper.off(LineKind::Adjustment, owed.min(left), (history.from, history.to));
    }
    Worked { subtotal: paper.come_to(0), rows: paper.rows, carried }
}

fn digits(currency: Currency) -> u32 {
    match currency.to_string().as_str() {
        "JPY" => 0,
        "KWD" => 3,
        "EUR" | "USD" => 2,
        other => panic!("{other} is in none of the tests"),
    }
}

/// Walks through the instants at which something changes.
fn parts(history: &History) -> Vec<Part<'_>> {
    let end = history.ended_at.map_or(history.to, |ended| ended.min(history.to));
    let mut cuts: Vec<_> = history.terms.iter().map(|(from, _)| *from).collect();
    cuts.extend(history.trial_until);
    cuts.extend([history.from, end]);
    cuts.retain(|cut| *cut >= history.from && *cut <= end);
    cuts.sort();
    cuts.dedup();
    let mut parts: Vec<Part> = Vec::new();
    for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
        let Some((began, plan)) = history.terms.iter().rfind(|(began, _)| began <= from) else { continue };
        let ours = history.trial_until.is_some_and(|until| to <= &until);
        let in_trial = plan.trial.is_some() && ours;
        let requests = history.requests.iter().filter(|(id, _)| (from..to).contains(&&id.made_at()));
        let requests: Vec<_> = requests.map(|(_, entry)| entry).filter(|entry| !entry.byok).collect();
        // The end of a trial that the plan doesn't have cuts nothing.
        match parts.last_mut() {
            Some(last) if last.to == *from && began < from && plan.trial.is_none() => {
                last.to = *to;
                last.requests.extend(requests);
            }
            _ => parts.push(Part { plan, from: *from, to: *to, in_trial, requests }),
        }
    }
    parts
}

/// Each token of a request in one kind.
fn of_kind(usage: &Usage, kind: TokenKind) -> u64 {
    match kind {
        TokenKind::Input => usage.input_tokens.0 - usage.cached_input_tokens.0 - usage.cache_write_tokens.0,
        TokenKind::CachedInput => usage.cached_input_tokens.0,
        TokenKind::CacheWrite => usage.cache_write_tokens.0 - usage.cache_write_1h_tokens.0,
        TokenKind::CacheWrite1h => usage.cache_write_1h_tokens.0,
        TokenKind::Output => usage.output_tokens.0,
        TokenKind::CacheHit => usage.cache_hit_tokens.0,
    }
}

fn rule_for<'a>(plan: &'a Plan, model: &str) -> Option<(usize, &'a PriceRule)> {
    plan.prices.iter().enumerate().find(|(_, rule)| {
        rule.models
            .iter()
            .any(|name| if name.ends_with('*') { model.starts_with(name.trim_end_matches('*')) } else { model == name })
    })
}

/// What a million tokens cost; `None` if tiers count them.
fn price_of(plan: &Plan, entry: &Entry, kind: TokenKind, prices: &Prices) -> Option<Fraction> {
    let marked_up = |markup: i64| {
        let price: &Price = &prices[&entry.prices][&entry.model];
        let list = match kind {
            TokenKind::Input => price.input,
            TokenKind::CachedInput => price.cached_input,
            TokenKind::CacheWrite => price.cache_write,
            TokenKind::CacheWrite1h => price.cache_write_1h,
            TokenKind::Output => price.output,
            TokenKind::CacheHit => price.cache_hit,
        };
        let factor = Fraction::whole(1) + Fraction::new(markup, 1_000_000);
        (Fraction::nanos(list.0.into()) * Fraction::nanos(plan.usd.0) * factor).to_digits(9)
    };
    match rule_for(plan, &entry.model).map(|(_, rule)| &rule.charge) {
        None => Some(marked_up(plan.markup.0)),
        Some(Charge::Markup(markup)) => Some(marked_up(markup.0)),
        Some(Charge::PerMillion(own)) => {
            let price = match kind {
                TokenKind::Input => own.input.0,
                TokenKind::CachedInput => own.cached_input.unwrap_or(own.input).0,
                TokenKind::CacheWrite => own.cache_write.unwrap_or(own.input).0,
                TokenKind::CacheWrite1h => own.cache_write_1h.or(own.cache_write).unwrap_or(own.input).0,
                TokenKind::Output => own.output.0,
                TokenKind::CacheHit => own.cache_hit.map_or(0, |price| price.0),
            };
            Some(Fraction::nanos(price))
        }
        Some(_) if kind == TokenKind::CacheHit => Some(Fraction::zero()),
        Some(_) => None,
    }
}

/// Some tokens of one request.
struct Bunch<'a> {
    model: &'a str,
    kind: TokenKind,
    price: Fraction,
    tokens: u64,
}

impl Paper {
    fn row(
        &mut self,
        kind: LineKind,
        quantity: Option<u64>,
        unit_price: Option<Fraction>,
        exact: &Fraction,
        (from, to): (Timestamp, Timestamp),
    ) {
        let exact = exact.to_digits(9);
        let amount = exact.to_digits(self.digits);
        self.rows.push(Row { kind, quantity, unit_price, exact, amount, from, to });
    }

    fn off(&mut self, kind: LineKind, off: Fraction, when: (Timestamp, Timestamp)) {
        if off > Fraction::zero() {
            self.row(kind, None, None, &(Fraction::zero() - off), when);
        }
    }

    /// What all lines from one on come to.
    fn come_to(&self, first: usize) -> Fraction {
        self.rows[first..].iter().fold(Fraction::zero(), |sum, row| sum + row.amount.clone())
    }

    fn prorated(&self, amount: Fraction, part: &Part) -> Fraction {
        amount * Fraction::whole(part.to.0 - part.from.0).over(self.to.0 - self.from.0)
    }

    /// Writes a part's lines down. Gives what was left of its usage.
    fn part(&mut self, part: &Part, seats: u32, usage_before: Fraction, prices: &Prices) -> Fraction {
        let (plan, when) = (part.plan, (part.from, part.to));
        let first = self.rows.len();
        if !part.in_trial {
            self.fees(part, seats);
        }
        let first_of_usage = self.rows.len();
        self.usage(part, prices);
        self.tiers(part);

        let credit = self.prorated(Fraction::nanos(plan.included_credit.0), part).to_digits(9);
        self.off(LineKind::Included, credit.min(self.come_to(first_of_usage)), when);
        if let (Some(trial), true) = (&plan.trial, part.in_trial) {
            let whole = Fraction::nanos(trial.credit.0);
            let days = u64::from(trial.days) * 24 * 60 * 60 * 1000;
            let credit = whole.clone() * Fraction::whole(part.to.0 - part.from.0).over(days);
            self.off(LineKind::Trial, credit.to_digits(9).min(whole).min(self.come_to(first_of_usage)), when);
        }
        let cap = match &plan.overage {
            Overage::Charged | Overage::Prepaid => None,
            Overage::UpTo(most) => Some((Fraction::nanos(most.0) - usage_before).max(Fraction::zero())),
            Overage::Refused => Some(Fraction::zero()),
        };
        if let Some(cap) = cap {
            self.off(LineKind::Cap, self.come_to(first_of_usage) - cap, when);
        }
        let usage = self.come_to(first_of_usage);
        let minimum = self.prorated(Fraction::nanos(plan.minimum.0), part).to_digits(9);
        let missing = minimum - self.come_to(first);
        if !part.in_trial && missing > Fraction::zero() {
            self.row(LineKind::Minimum, None, Some(Fraction::nanos(plan.minimum.0)), &missing, when);
        }
        usage
    }

    fn fees(&mut self, part: &Part, seats: u32) {
        let (plan, when) = (part.plan, (part.from, part.to));
        let base = Fraction::nanos(plan.base_fee.0);
        if base > Fraction::zero() {
            self.row(LineKind::Base, None, Some(base.clone()), &self.prorated(base, part), when);
        }
        if let Some(rule) = &plan.seats
            && rule.fee.0 > 0
            && seats > rule.included
        {
            let (number, fee) = (seats - rule.included, Fraction::nanos(rule.fee.0));
            let month = fee.clone() * Fraction::whole(number);
            self.row(LineKind::Seats, Some(number.into()), Some(fee), &self.prorated(month, part), when);
        }
    }

    fn usage(&mut self, part: &Part, prices: &Prices) {
        let mut bunches = Vec::new();
        for entry in &part.requests {
            for kind in KINDS {
                let tokens = of_kind(&entry.usage, kind);
                if let Some(price) = price_of(part.plan, entry, kind, prices)
                    && tokens > 0
                {
                    bunches.push(Bunch { model: &entry.model, kind, price, tokens });
                }
            }
        }
        bunches.sort_by(|a, b| b.price.cmp(&a.price).then(a.model.cmp(b.model)).then(a.kind.cmp(&b.kind)));
        let mut free = self.prorated(Fraction::whole(part.plan.included_tokens), part).tokens();
        // By model, kind and price: what is free, and what is charged.
        let mut sums: BTreeMap<(&str, TokenKind, Fraction), (u64, u64)> = BTreeMap::new();
        for bunch in &bunches {
            let sum = sums.entry((bunch.model, bunch.kind, bunch.price.clone())).or_default();
            let taken = if bunch.kind == TokenKind::CacheHit { 0 } else { free.min(bunch.tokens) };
            free -= taken;
            sum.0 += taken;
            sum.1 += bunch.tokens - taken;
        }
        let when = (part.from, part.to);
        for ((model, kind, price), (free, charged)) in sums {
            if free > 0 {
                self.row(LineKind::Included, Some(free), Some(Fraction::zero()), &Fraction::zero(), when);
            }
            if charged > 0 {
                let line = LineKind::Usage { model: model.to_owned(), tokens: kind };
                let exact = price.clone() * Fraction::whole(charged).over(1_000_000);
                self.row(line, Some(charged), Some(price), &exact, when);
            }
        }
    }

    fn tiers(&mut self, part: &Part) {
        for (place, rule) in part.plan.prices.iter().enumerate() {
            let ours = |entry: &&&Entry| rule_for(part.plan, &entry.model).is_some_and(|(first, _)| first == place);
            let counted = |entry: &&Entry| entry.usage.input_tokens.0 + entry.usage.output_tokens.0;
            let numbers: Vec<u64> = part.requests.iter().filter(ours).map(counted).collect();
            match &rule.charge {
                Charge::Markup(_) | Charge::PerMillion(_) => {}
                Charge::Graduated(tiers) => self.graduated(tiers, &numbers, part),
                Charge::Volume(tiers) => {
                    let all: u64 = numbers.iter().sum();
                    // From the last tier down to the first that is reached.
                    let reached = |place: usize| place == 0 || tiers[place - 1].up_to.unwrap() < all;
                    if let Some(place) = (0..tiers.len()).rev().find(|place| reached(*place) && all > 0) {
                        self.tier(&tiers[place], all, part);
                    }
                }
                Charge::Package(package) => {
                    let (mut begun, mut room) = (0_u64, 0);
                    for number in numbers {
                        let mut left = number;
                        while left > room {
                            left -= room;
                            begun += 1;
                            room = package.tokens;
                        }
                        room -= left;
                    }
                    if begun > 0 {
                        let price = Fraction::nanos(package.price.0);
                        let exact = price.clone() * Fraction::whole(begun);
                        self.row(LineKind::Tiers, Some(begun), Some(price), &exact, (part.from, part.to));
                    }
                }
            }
        }
    }

    /// Fills one tier after the other with what comes.
    fn graduated(&mut self, tiers: &[Tier], numbers: &[u64], part: &Part) {
        let mut filled = vec![0_u64; tiers.len()];
        let (mut tier, mut below) = (0, 0);
        for number in numbers {
            let mut left = *number;
            while left > 0 {
                let room = tiers[tier].up_to.map_or(u64::MAX, |up_to| up_to - below) - filled[tier];
                let now = left.min(room);
                filled[tier] += now;
                left -= now;
                if now == room {
                    below = tiers[tier].up_to.unwrap();
                    tier += 1;
                }
            }
        }
        for (tier, tokens) in tiers.iter().zip(filled).filter(|(_, tokens)| *tokens > 0) {
            self.tier(tier, tokens, part);
        }
    }

    fn tier(&mut self, tier: &Tier, tokens: u64, part: &Part) {
        let (price, when) = (Fraction::nanos(tier.price.0), (part.from, part.to));
        let exact = price.clone() * Fraction::whole(tokens).over(1_000_000);
        self.row(LineKind::Tiers, Some(tokens), Some(price), &exact, when);
        if tier.flat.0 > 0 {
            self.row(LineKind::Tiers, None, None, &Fraction::nanos(tier.flat.0), when);
        }
    }
}
