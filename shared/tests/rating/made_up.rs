//! Plans, prices and requests of all kinds, out of a seed.

use lmo_shared::{
    billing::{
        Amount, Charge, Currency, KindPrices, NANOS, Overage, Package, Percent, Plan, PriceRule, Seats, Tier, Trial,
    },
    clock::Timestamp,
    llm::{Usage, catalogue::Price},
    money::{PricePerMillion, Tokens},
    quota::Limits,
};
use rand::{Rng, rngs::StdRng};

use crate::history::Prices;

/// The models that there are; `b/` and `c/` have two each.
pub const MODELS: [&str; 6] = ["a/one", "b/one", "b/two", "c/one", "c/two", "d/embed"];

/// How many kinds of plans [`plan`] knows.
pub const PLANS: usize = 10;

pub fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

/// What a unit of a currency is, compared with the dollar.
fn scale(currency: Currency) -> i128 {
    if currency.code() == "JPY" { 150 } else { 1 }
}

/// Up to so many dollars' worth: round figures, and figures that no currency has coins for.
pub fn money(rng: &mut StdRng, currency: Currency, most: i64) -> Amount {
    let most = i128::from(most) * scale(currency) * NANOS;
    let nanos = rng.random_range(0..=most);
    let step = [1, 1_000, 5_000_000, 10_000_000, NANOS][rng.random_range(0..5)];
    Amount(nanos - nanos % step)
}

pub fn percent(rng: &mut StdRng, range: std::ops::RangeInclusive<i64>) -> Percent {
    Percent(rng.random_range(*range.start() * 10_000..=*range.end() * 10_000))
}

/// A price per million that is odd enough to be rounded.
fn list_price(rng: &mut StdRng, most: u64) -> PricePerMillion {
    PricePerMillion(if rng.random_bool(0.1) { 0 } else { rng.random_range(1..most * 1_000_000_000) })
}

/// Versions of the catalogue. A new one changes some prices, and leaves the others.
pub fn prices(rng: &mut StdRng, versions: &[&str]) -> Prices {
    let mut all = Prices::new();
    let mut before: Vec<Price> = MODELS.iter().map(|_| Price::default()).collect();
    for (number, version) in versions.iter().enumerate() {
        for (place, price) in before.iter_mut().enumerate() {
            if number > 0 && rng.random_bool(0.5) {
                continue;
            }
            let input = list_price(rng, 5);
            *price = Price {
                input,
                cached_input: list_price(rng, 1),
                cache_write: if rng.random_bool(0.5) { input } else { list_price(rng, 6) },
                cache_write_1h: list_price(rng, 10),
                output: if place == 5 { PricePerMillion(0) } else { list_price(rng, 20) },
                cache_hit: list_price(rng, 1),
            };
        }
        let of = MODELS.iter().zip(&before).map(|(model, price)| ((*model).to_owned(), *price));
        all.insert((*version).to_owned(), of.collect());
    }
    all
}

fn tiers(rng: &mut StdRng, currency: Currency) -> Vec<Tier> {
    let mut up_to = 0;
    let number = rng.random_range(1..5);
    // Bounds that a month of equal requests meets exactly.
    let (step, most) = if rng.random_bool(0.5) { (1_000, 8) } else { (1, 20_000_000) };
    let tier = |place| {
        up_to += step * rng.random_range(1..most);
        let flat = if rng.random_bool(0.4) { money(rng, currency, 20) } else { Amount::ZERO };
        Tier { up_to: (place + 1 < number).then_some(up_to), price: money(rng, currency, 5), flat }
    };
    (0..number).map(tier).collect()
}

fn rule(models: &[&str], charge: Charge) -> PriceRule {
    PriceRule { models: models.iter().map(|model| (*model).to_owned()).collect(), charge }
}

fn kind_prices(rng: &mut StdRng, currency: Currency) -> KindPrices {
    let mut maybe = |most| rng.random_bool(0.6).then(|| money(rng, currency, most));
    let (cached_input, cache_write, cache_write_1h, cache_hit) = (maybe(1), maybe(5), maybe(9), maybe(1));
    let (input, output) = (money(rng, currency, 4), money(rng, currency, 20));
    KindPrices { input, cached_input, cache_write, cache_write_1h, output, cache_hit }
}

/// A plan that is checked: its `kind` says what it has.
pub fn plan(rng: &mut StdRng, currency: Currency, kind: usize) -> Plan {
    let usd = match currency.code() {
        "USD" => Amount::units(1),
        "JPY" => Amount(rng.random_range(100 * NANOS..200 * NANOS)),
        _ => Amount(rng.random_range(NANOS / 4..2 * NANOS)),
    };
    let mut plan = Plan {
        name: format!("plan-{kind}"),
        effective: Timestamp(rng.random_range(0..1_000_000)),
        title: format!("Plan {kind}"),
        currency,
        public: true,
        base_fee: Amount::ZERO,
        seats: None,
        minimum: Amount::ZERO,
        included_tokens: 0,
        included_credit: Amount::ZERO,
        trial: None,
        overage: Overage::Charged,
        markup: percent(rng, -30..=60),
        usd,
        prices: Vec::new(),
        limits: Limits::default(),
    };
    match kind {
        // Free.
        0 => (plan.included_tokens, plan.overage) = (rng.random_range(1..5_000_000), Overage::Refused),
        // Free up to an amount.
        1 => {
            plan.included_credit = money(rng, currency, 10).max(Amount(1));
            plan.overage = Overage::Refused;
        }
        // Included tokens, and what is beyond them.
        2 => {
            plan.base_fee = money(rng, currency, 30);
            plan.included_tokens = rng.random_range(1..20_000_000);
        }
        // A team, with a trial and a cap.
        3 => {
            plan.base_fee = money(rng, currency, 60);
            plan.seats = Some(Seats { fee: money(rng, currency, 15), included: rng.random_range(0..5) });
            plan.included_credit = money(rng, currency, 30);
            plan.trial = Some(Trial { days: rng.random_range(1..60), credit: money(rng, currency, 20) });
            plan.overage = Overage::UpTo(money(rng, currency, 100).rounded(currency));
        }
        // Another one, with tokens, a trial and a minimum.
        4 => {
            plan.base_fee = money(rng, currency, 30);
            plan.included_tokens = rng.random_range(1..9_000_000);
            plan.trial = Some(Trial { days: rng.random_range(1..40), credit: money(rng, currency, 5) });
            plan.minimum = money(rng, currency, 150);
        }
        // Everything graduated.
        5 => plan.prices = vec![rule(&["*"], Charge::Graduated(tiers(rng, currency)))],
        // Prices of its own by kind, markups, tiers for the rest.
        6 => {
            plan.base_fee = money(rng, currency, 500);
            plan.minimum = money(rng, currency, 900);
            plan.included_tokens = rng.random_range(0..2_000_000);
            plan.prices = vec![
                rule(&["a/*"], Charge::PerMillion(kind_prices(rng, currency))),
                rule(&["b/one"], Charge::Markup(percent(rng, -100..=100))),
                rule(&["b/*", "a/one"], Charge::Graduated(tiers(rng, currency))),
                rule(&["c/one", "d/*"], Charge::Volume(tiers(rng, currency))),
            ];
        }
        // By volume.
        7 => {
            plan.included_credit = money(rng, currency, 10);
            plan.prices = vec![rule(&["b/*", "c/*"], Charge::Volume(tiers(rng, currency)))];
        }
        // Packages.
        8 => {
            let tokens = if rng.random_bool(0.5) { 4_000 } else { rng.random_range(10_000..5_000_000) };
            let package = Package { tokens, price: money(rng, currency, 4) };
            plan.prices = vec![rule(&["c/*", "d/embed"], Charge::Package(package))];
            plan.included_tokens = rng.random_range(0..9_000_000);
            plan.overage = Overage::UpTo(money(rng, currency, 60).rounded(currency));
        }
        // Prepaid.
        _ => plan.overage = Overage::Prepaid,
    }
    plan.check().unwrap();
    plan
}

/// Tokens of one request; the parts are never more than the whole, as in every entry of the ledger.
pub fn usage(rng: &mut StdRng) -> Usage {
    let mut tokens = || {
        let digits = rng.random_range(0..7);
        rng.random_range(0..10_u64.pow(digits))
    };
    if tokens() % 9 == 1 {
        return Usage { cache_hit_tokens: Tokens(tokens()), ..Usage::default() };
    }
    let input = tokens();
    let cached = tokens().min(input);
    let written = tokens().min(input - cached);
    let output = tokens();
    Usage {
        input_tokens: Tokens(input),
        cached_input_tokens: Tokens(cached),
        cache_write_tokens: Tokens(written),
        cache_write_1h_tokens: Tokens(tokens().min(written)),
        output_tokens: Tokens(output),
        reasoning_tokens: Tokens(tokens().min(output)),
        cache_hit_tokens: Tokens(0),
    }
}
