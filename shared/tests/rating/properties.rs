//! What must hold of every invoice, whatever was used under whatever plans.

use std::collections::BTreeMap;

use lmo_shared::{
    billing::{Account, Amount, Line, LineKind, Overage, Plan, Statement, Used, rate, segments, sum},
    clock::{Period, Timestamp},
    id::RequestId,
    llm::{
        Usage,
        catalogue::{Capability, Catalogue, Model, Price},
    },
    money::{PricePerMillion, Tokens},
    usage::{Entry, rate_exactly},
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::{
    account::{account, rated},
    history::{History, entry},
    made_up::{MODELS, PLANS, currency, plan, prices, usage},
    year::{Tenant, at, catalogue},
};

/// A month of a tenant that a year would have.
fn month(seed: u64, which: usize) -> History {
    let (mut tenant, catalogue) = (Tenant::new(seed), catalogue());
    tenant.skip(which);
    tenant.next_month(Amount::ZERO, &catalogue).unwrap()
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

/// The currency's smallest part, in nano-units.
fn minor_unit(statement: &Statement) -> i128 {
    match statement.currency.code() {
        "JPY" => 1_000_000_000,
        "KWD" => 1_000_000,
        _ => 10_000_000,
    }
}

/// A month of one plan without anything else.
fn whole_month(plan: Plan) -> Account {
    let month = Period::month(at("2026-02-01"));
    let (from, to) = (month.start(), month.end());
    let currency = plan.currency;
    let segments = segments((from, to), &[(from, plan)], None, None);
    Account { from, to, currency, segments, discounts: Vec::new(), adjustments: Vec::new() }
}

fn is_usage(line: &Line) -> bool {
    match line.kind {
        LineKind::Usage { .. } | LineKind::Tiers | LineKind::Included | LineKind::Trial | LineKind::Cap => true,
        LineKind::Base | LineKind::Seats | LineKind::Minimum | LineKind::Discount | LineKind::Adjustment => false,
    }
}

/// What usage comes to.
fn usage_of(statement: &Statement) -> Amount {
    sum(statement.lines.iter().filter(|line| is_usage(line)).map(|line| line.amount)).unwrap()
}

proptest! {
    #[test]
    fn splitting_ordering_and_replaying_change_nothing(seed in any::<u64>(), which in 0..12_usize, order in any::<u64>()) {
        let (history, catalogue) = (month(seed, which), catalogue());
        let statement = rated(&history, &catalogue, &mut rng());
        let order = &mut StdRng::seed_from_u64(order);
        let mut replayed: Vec<_> = history.requests.iter().chain(history.requests.iter().take(20)).collect();
        replayed.shuffle(order);
        let mut requests: BTreeMap<RequestId, Entry> = BTreeMap::new();
        for (id, entry) in replayed {
            requests.entry(*id).or_insert_with(|| entry.clone());
        }
        let again = History { requests, ..history.clone() };
        prop_assert_eq!(&rated(&again, &catalogue, order), &statement);
        // One request's tokens as those of two.
        let mut split = history;
        let halves: Vec<_> = split.requests.iter_mut().map(|(id, entry)| (id.made_at(), halve(entry, order))).collect();
        for (made_at, half) in halves {
            split.requests.insert(RequestId::new(made_at), half);
        }
        prop_assert_eq!(rated(&split, &catalogue, order), statement);
    }

    #[test]
    fn lines_are_coins_their_sum_is_the_subtotal_and_nothing_is_negative(seed in any::<u64>(), which in 0..12_usize) {
        let statement = rated(&month(seed, which), &catalogue(), &mut rng());
        let mut so_far = Amount::ZERO;
        for line in &statement.lines {
            prop_assert_eq!(line.amount.0 % minor_unit(&statement), 0);
            prop_assert!((line.amount.0 - line.exact.0).abs() * 2 <= minor_unit(&statement));
            so_far = so_far.plus(line.amount).unwrap();
            prop_assert!(so_far >= Amount::ZERO, "negative after {line:?}");
        }
        prop_assert_eq!(so_far, statement.subtotal);
        prop_assert!(statement.carried <= Amount::ZERO);
        prop_assert!(statement.carried == Amount::ZERO || statement.subtotal == Amount::ZERO);
    }

    #[test]
    fn every_token_is_on_exactly_one_line(seed in any::<u64>(), which in 0..12_usize) {
        let account = account(&month(seed, which), &catalogue(), &mut rng());
        // A package's line counts packages.
        prop_assume!(account.segments.iter().all(|segment| segment.plan.name != "plan-8"));
        let used = account.segments.iter().flat_map(|segment| segment.usage.values());
        let used: u64 = used.map(|u| u.input_tokens.0 + u.output_tokens.0 + u.cache_hit_tokens.0).sum();
        let statement = rate(&account).unwrap();
        let billed = statement.lines.iter().filter(|line| is_usage(line)).filter_map(|line| line.quantity);
        prop_assert_eq!(billed.sum::<u64>(), used);
    }

    #[test]
    fn a_cap_is_a_cap(seed in any::<u64>(), which in 0..12_usize) {
        let mut history = month(seed, which);
        // The same cap all month, on whatever plans.
        let cap = Amount(i128::from(seed % 50) * 1_000_000_000);
        for (_, plan) in &mut history.terms {
            plan.overage = Overage::UpTo(cap);
        }
        let statement = rated(&history, &catalogue(), &mut rng());
        prop_assert!(usage_of(&statement) <= cap);
        prop_assert!(usage_of(&statement) >= Amount::ZERO);
        for (_, plan) in &mut history.terms {
            (plan.overage, plan.included_tokens) = (Overage::Refused, plan.included_tokens.max(1));
        }
        prop_assert_eq!(usage_of(&rated(&history, &catalogue(), &mut rng())), Amount::ZERO);
    }

    #[test]
    fn more_tokens_never_cost_less(seed in any::<u64>(), which in 0..12_usize, more in any::<u64>()) {
        let (mut history, catalogue) = (month(seed, which), catalogue());
        // But by volume, where that is the point.
        prop_assume!(history.terms.iter().all(|(_, plan)| !["plan-6", "plan-7"].contains(&plan.name.as_str())));
        // And but for a minimum before a cap: usage that is within the minimum counts towards the cap of the plan behind it.
        if history.terms.len() > 1 {
            history.terms.iter_mut().for_each(|(_, plan)| plan.minimum = Amount::ZERO);
        }
        let before = rated(&history, &catalogue, &mut rng());
        let rng = &mut StdRng::seed_from_u64(more);
        let made_at = Timestamp(rng.random_range(history.from.0..history.to.0));
        let model = MODELS[rng.random_range(0..MODELS.len())];
        history.requests.insert(RequestId::new(made_at), entry(RequestId::new(made_at), model, "v2", usage(rng), false));
        let after = rated(&history, &catalogue, rng);
        prop_assert!(after.subtotal >= before.subtotal && after.carried >= before.carried);
    }

    #[test]
    fn prorated_parts_add_up_to_the_whole(
        seed in any::<u64>(),
        kind in 0..PLANS,
        code in prop::sample::select(&["USD", "JPY", "KWD"][..]),
        cuts in prop::collection::vec(0..28_u64 * 86_400_000, 1..5),
    ) {
        let plan = plan(&mut StdRng::seed_from_u64(seed), currency(code), kind);
        let mut account = whole_month(plan.clone());
        account.segments[0].seats = 7;
        let whole = rate(&account).unwrap();
        let mut terms = vec![(account.from, plan.clone())];
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| Timestamp(account.from.0 + cut)).collect();
        cuts.sort();
        terms.extend(cuts.into_iter().map(|cut| (cut, plan.clone())));
        account.segments = segments((account.from, account.to), &terms, None, None);
        account.segments.iter_mut().for_each(|segment| segment.seats = 7);
        let parts = rate(&account).unwrap();
        // Three lines a part, each off by half a coin at most.
        let most = minor_unit(&whole) * 3 * i128::try_from(account.segments.len() + 1).unwrap() / 2 + 10;
        prop_assert!((parts.subtotal.0 - whole.subtotal.0).abs() <= most, "{:?} {:?}", parts.subtotal, whole.subtotal);
    }

    #[test]
    fn what_the_meters_admit_is_never_charged_beyond_the_cap(seed in any::<u64>(), kind in 0..PLANS, number in 1..60_usize) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let prices = prices(rng, &["v"])["v"].clone();
        let mut plan = plan(rng, currency("EUR"), kind);
        let most = Amount::units(rng.random_range(0..200));
        plan.overage = Overage::UpTo(most);
        let catalogue = in_a_catalogue(&prices);
        let Ok(limits) = plan.capped(&catalogue) else {
            // A model that is free by the catalogue alone.
            return Ok(());
        };
        let mut account = whole_month(Plan { overage: Overage::Charged, included_credit: Amount::ZERO, ..plan.clone() });
        let mut spent = 0;
        for _ in 0..number {
            let used = Used { model: MODELS[rng.random_range(0..MODELS.len())].to_owned(), prices: "v".to_owned() };
            let mut usage = usage(rng);
            if used.model == "d/embed" {
                usage.output_tokens = Tokens(0);
            }
            let cost = rate_exactly(&usage, &catalogue.models[&used.model].price).unwrap().rounded_up().unwrap().0;
            if limits.monthly_nano_usd.is_some_and(|limit| spent + cost > limit) {
                continue;
            }
            spent += cost;
            account.segments[0].list.insert(used.clone(), prices[&used.model]);
            let sum = account.segments[0].usage.entry(used).or_default();
            *sum = sum.plus(&usage).unwrap();
        }
        let statement = rate(&account).unwrap();
        let exact = sum(statement.lines.iter().filter(|line| is_usage(line)).map(|line| line.exact)).unwrap();
        let most = plan.included_credit.plus(most).unwrap();
        // A line is rounded to a nano-unit, too.
        prop_assert!(exact.0 <= most.0 + i128::try_from(statement.lines.len()).unwrap(), "{exact} {most}");
    }

    #[test]
    fn absurd_figures_are_an_error_or_an_invoice_and_never_a_panic(
        seed in any::<u64>(),
        kind in 0..PLANS,
        counts in prop::collection::vec(prop::array::uniform7(any::<u64>()), 0..5),
        list in prop::array::uniform6(any::<u64>()),
        times in prop::array::uniform4(any::<u64>()),
        amounts in prop::array::uniform3(any::<i128>()),
    ) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let mut plan = plan(rng, currency("JPY"), kind);
        if seed % 2 == 0 {
            plan.base_fee = Amount(amounts[0]);
            plan.usd = Amount(amounts[1]);
        }
        let mut account = whole_month(plan);
        let [input, cached_input, cache_write, cache_write_1h, output, cache_hit] = list.map(PricePerMillion);
        let price = Price { input, cached_input, cache_write, cache_write_1h, output, cache_hit };
        for (place, counts) in counts.into_iter().enumerate() {
            let [input, cached, write, write_1h, output, reasoning, hit] = counts.map(Tokens);
            let used = Used { model: MODELS[place].to_owned(), prices: "v".to_owned() };
            account.segments[0].list.insert(used.clone(), price);
            account.segments[0].usage.insert(used, Usage {
                input_tokens: input,
                cached_input_tokens: cached,
                cache_write_tokens: write,
                cache_write_1h_tokens: write_1h,
                output_tokens: output,
                reasoning_tokens: reasoning,
                cache_hit_tokens: hit,
            });
        }
        account.segments[0].seats = u32::MAX;
        if seed % 3 == 0 {
            (account.from, account.to) = (Timestamp(times[0]), Timestamp(times[1]));
            (account.segments[0].from, account.segments[0].to) = (Timestamp(times[2]), Timestamp(times[3]));
        }
        if let Ok(statement) = rate(&account) {
            prop_assert!(statement.subtotal >= Amount::ZERO && statement.subtotal <= Amount(Amount::MOST.0 * 50));
            prop_assert_eq!(sum(statement.lines.iter().map(|line| line.amount)).unwrap(), statement.subtotal);
        }
    }
}

/// Takes a part of an entry's tokens off, of every kind. Returns it as an entry of its own.
fn halve(entry: &mut Entry, rng: &mut StdRng) -> Entry {
    let whole = entry.usage;
    let mut part = |whole: Tokens| Tokens(rng.random_range(0..=whole.0));
    let fresh = whole.input_tokens.0 - whole.cached_input_tokens.0 - whole.cache_write_tokens.0;
    let (cached, long) = (part(whole.cached_input_tokens), part(whole.cache_write_1h_tokens));
    let short = part(whole.cache_write_tokens.minus_or_zero(whole.cache_write_1h_tokens));
    let usage = Usage {
        input_tokens: Tokens(part(Tokens(fresh)).0 + cached.0 + long.0 + short.0),
        cached_input_tokens: cached,
        cache_write_tokens: Tokens(long.0 + short.0),
        cache_write_1h_tokens: long,
        output_tokens: part(whole.output_tokens),
        reasoning_tokens: Tokens(0),
        cache_hit_tokens: part(whole.cache_hit_tokens),
    };
    entry.usage = Usage {
        input_tokens: whole.input_tokens.minus_or_zero(usage.input_tokens),
        cached_input_tokens: whole.cached_input_tokens.minus_or_zero(usage.cached_input_tokens),
        cache_write_tokens: whole.cache_write_tokens.minus_or_zero(usage.cache_write_tokens),
        cache_write_1h_tokens: whole.cache_write_1h_tokens.minus_or_zero(usage.cache_write_1h_tokens),
        output_tokens: whole.output_tokens.minus_or_zero(usage.output_tokens),
        reasoning_tokens: Tokens(0),
        cache_hit_tokens: whole.cache_hit_tokens.minus_or_zero(usage.cache_hit_tokens),
    };
    Entry { usage, ..entry.clone() }
}

fn in_a_catalogue(prices: &BTreeMap<String, Price>) -> Catalogue {
    let model = |price: &Price, capability| Model {
        provider: "p".to_owned(),
        upstream: "m".to_owned(),
        context_window: 1_000_000,
        max_output_tokens: 1_000,
        capabilities: vec![capability],
        price: *price,
        cost: None,
        overhead_tokens: 0,
        image_tokens: 0,
        document_tokens: 0,
        dimensions: None,
    };
    let capability = |name: &str| if name == "d/embed" { Capability::Embed } else { Capability::Chat };
    let models = prices.iter().map(|(name, price)| (name.clone(), model(price, capability(name))));
    Catalogue {
        version: "v".to_owned(),
        effective: Timestamp(0),
        providers: BTreeMap::new(),
        models: models.collect(),
        aliases: BTreeMap::new(),
    }
}
