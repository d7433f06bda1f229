//! Single rules by example; `shared/tests/rating/` has what holds of all.

use super::*;
use crate::{
    billing::{Charge, Currency, Discount, Overage, Percent, Plan, PriceRule, Seats, Segment, Tier, TokenKind, Trial},
    clock::{Period, Timestamp},
    llm::catalogue::Price,
    money::{PricePerMillion, Tokens},
    quota::Limits,
};

const MODEL: &str = "a/model";

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A plan in EUR at the catalogue's prices, a dollar for a euro.
fn plan() -> Plan {
    Plan {
        name: "team".to_owned(),
        effective: Timestamp(1),
        title: "Team".to_owned(),
        currency: Currency::EUR,
        public: true,
        base_fee: Amount::ZERO,
        seats: None,
        minimum: Amount::ZERO,
        included_tokens: 0,
        included_credit: Amount::ZERO,
        trial: None,
        overage: Overage::Charged,
        markup: Percent::ZERO,
        usd: Amount::units(1),
        prices: Vec::new(),
        limits: Limits::default(),
    }
}

/// November 2026, on these plans.
fn november(terms: &[(&str, Plan)], trial_until: Option<&str>) -> Account {
    let month = Period::month(at("2026-11-01"));
    let (from, to) = (month.start(), month.end());
    let terms: Vec<_> = terms.iter().map(|(since, plan)| (at(since), plan.clone())).collect();
    let segments = segments((from, to), &terms, None, trial_until.map(at));
    Account { from, to, currency: terms[0].1.currency, segments, discounts: Vec::new(), adjustments: Vec::new() }
}

/// Input at 2 USD a million, output at 8.
fn uses(segment: &mut Segment, input: u64, output: u64) {
    let used = Used { model: MODEL.to_owned(), prices: "v1".to_owned() };
    let (input_price, output_price) = (PricePerMillion(2_000_000_000), PricePerMillion(8_000_000_000));
    let price = Price { input: input_price, cached_input: input_price, output: output_price, ..Price::default() };
    segment.list.insert(used.clone(), price);
    let usage = Usage { input_tokens: Tokens(input), output_tokens: Tokens(output), ..Usage::default() };
    segment.usage.insert(used, usage);
}

fn shown(statement: &Statement) -> Vec<(String, String)> {
    let line = |line: &Line| (line.text.clone(), line.amount.text(statement.currency));
    statement.lines.iter().map(line).collect()
}

fn lines(statement: &Statement) -> Vec<(&str, Amount)> {
    statement.lines.iter().map(|line| (line.text.as_str(), line.amount)).collect()
}

#[test]
fn the_example_of_the_rules_is_what_they_say() {
    let plan = Plan { base_fee: amount("49"), included_tokens: 1_000_000, usd: amount("0.92"), ..plan() };
    let mut account = november(&[("2026-11-16", plan)], None);
    uses(&mut account.segments[0], 1_200_000, 300_000);
    let statement = rate(&account).unwrap();
    let wanted = [
        ("Team", "24.50"),
        ("a/model, input tokens, included", "0.00"),
        ("a/model, input tokens", "1.84"),
        ("a/model, output tokens, included", "0.00"),
    ];
    assert_eq!(shown(&statement), wanted.map(|(text, amount)| (text.to_owned(), amount.to_owned())));
    let quantities: Vec<_> = statement.lines.iter().filter_map(|line| line.quantity).collect();
    assert_eq!(quantities, [200_000, 1_000_000, 300_000]);
    assert_eq!(statement.subtotal, amount("26.34"));
}

#[test]
fn a_plan_for_the_last_second_of_a_month_costs_a_second() {
    let (before, after) = (Plan { base_fee: amount("30"), ..plan() }, Plan { base_fee: amount("2592"), ..plan() });
    let terms = [("2026-10-01", before), ("2026-11-30T23:59:59Z", after)];
    let statement = rate(&november(&terms, None)).unwrap();
    // A second of a month of 2,592,000.
    let exact: Vec<_> = statement.lines.iter().map(|line| line.exact).collect();
    assert_eq!(exact, [amount("29.999988426"), amount("0.001")]);
    assert_eq!(statement.subtotal, amount("30"));
}

#[test]
fn fees_are_free_until_the_trial_ends_and_usage_up_to_its_credit() {
    let plan = Plan {
        base_fee: amount("30"),
        seats: Some(Seats { fee: amount("10"), included: 1 }),
        trial: Some(Trial { days: 10, credit: amount("5") }),
        ..plan()
    };
    // Half of the trial was in October.
    let mut account = november(&[("2026-10-27", plan)], Some("2026-11-06"));
    account.segments.iter_mut().for_each(|segment| segment.seats = 2);
    uses(&mut account.segments[0], 2_000_000, 0);
    uses(&mut account.segments[1], 1_000_000, 0);
    let wanted = [
        ("a/model, input tokens", amount("4")),
        ("Trial credit", amount("-2.50")),
        ("Team", amount("25")),
        ("Members", amount("8.33")),
        ("a/model, input tokens", amount("2")),
    ];
    assert_eq!(lines(&rate(&account).unwrap()), wanted);
}

#[test]
fn a_longer_trial_on_another_plan_makes_no_credit_larger() {
    let plan = Plan { trial: Some(Trial { days: 10, credit: amount("5") }), ..plan() };
    let mut account = november(&[("2026-11-01", plan)], Some("2027-01-01"));
    uses(&mut account.segments[0], 10_000_000, 0);
    assert_eq!(lines(&rate(&account).unwrap())[1], ("Trial credit", amount("-5")));
}

#[test]
fn a_plan_without_a_trial_is_charged_while_another_ones_goes_on() {
    let account = november(&[("2026-11-01", Plan { base_fee: amount("30"), ..plan() })], Some("2026-11-15"));
    assert_eq!(rate(&account).unwrap().subtotal, amount("30"));
}

#[test]
fn the_cap_is_the_months_and_not_each_parts() {
    let plan = Plan { overage: Overage::UpTo(amount("10")), ..plan() };
    let mut account = november(&[("2026-11-01", plan.clone()), ("2026-11-16", plan)], None);
    uses(&mut account.segments[0], 4_000_000, 0);
    uses(&mut account.segments[1], 4_000_000, 0);
    let statement = rate(&account).unwrap();
    assert_eq!(lines(&statement)[2], ("Beyond the plan's cap", amount("-6")));
    assert_eq!(statement.subtotal, amount("10"));
}

#[test]
fn a_begun_tier_costs_its_fee_and_the_bound_belongs_to_the_tier_below() {
    let tiers = vec![
        Tier { up_to: Some(1_000_000), price: amount("3"), flat: Amount::ZERO },
        Tier { up_to: None, price: amount("1"), flat: amount("0.50") },
    ];
    let of = |charge: fn(Vec<Tier>) -> Charge, tokens| {
        let rule = PriceRule { models: vec!["a/*".to_owned()], charge: charge(tiers.clone()) };
        let mut account = november(&[("2026-11-01", Plan { prices: vec![rule], ..plan() })], None);
        uses(&mut account.segments[0], tokens, 0);
        rate(&account).unwrap().subtotal
    };
    assert_eq!(of(Charge::Graduated, 1_000_000), amount("3"));
    assert_eq!(of(Charge::Graduated, 1_000_001), amount("3.50"));
    assert_eq!(of(Charge::Graduated, 2_000_000), amount("4.50"));
    assert_eq!(of(Charge::Volume, 1_000_000), amount("3"));
    assert_eq!(of(Charge::Volume, 2_000_000), amount("2.50"));
}

#[test]
fn an_adjustment_larger_than_the_invoice_is_carried() {
    let mut account = november(&[("2026-11-01", Plan { base_fee: amount("30"), ..plan() })], None);
    account.discounts = vec![Discount { code: "HALF".to_owned(), off: Off::Percent(Percent(500_000)) }];
    let adjustment = |text: &str, value: &str| Adjustment { text: text.to_owned(), amount: amount(value) };
    account.adjustments =
        vec![adjustment("Outage", "-40"), adjustment("Late usage", "5.005"), adjustment("More", "-1")];
    let statement = rate(&account).unwrap();
    let wanted = [
        ("Team", amount("30")),
        ("Discount HALF, 50 %", amount("-15")),
        ("Late usage", amount("5.01")),
        ("Outage", amount("-20.01")),
    ];
    assert_eq!(lines(&statement), wanted);
    assert_eq!((statement.subtotal, statement.carried), (Amount::ZERO, amount("-20.99")));
}

#[test]
fn a_tenant_without_a_plan_still_gets_its_adjustments() {
    let mut account = november(&[("2026-11-01", plan())], None);
    account.segments.clear();
    account.adjustments = vec![Adjustment { text: "Late usage".to_owned(), amount: amount("3") }];
    assert_eq!(rate(&account).unwrap().subtotal, amount("3"));
}

#[test]
fn currencies_without_and_with_three_digits_are_rounded_to_their_own_coins() {
    for (code, subtotal) in [("JPY", "51"), ("KWD", "50.5"), ("USD", "50.5")] {
        let currency = Currency::parse(code).unwrap();
        let plan = Plan { currency, base_fee: amount("101"), ..plan() };
        let account = november(&[("2026-11-16", plan)], None);
        assert_eq!(rate(&account).unwrap().subtotal, amount(subtotal), "{code}");
    }
    let plan = Plan { currency: Currency::parse("KWD").unwrap(), base_fee: amount("1.001"), ..plan() };
    assert_eq!(rate(&november(&[("2026-11-16", plan)], None)).unwrap().subtotal, amount("0.501"));
}

#[test]
fn versions_of_the_catalogue_that_say_the_same_are_one_line() {
    let mut account = november(&[("2026-11-01", plan())], None);
    let segment = &mut account.segments[0];
    uses(segment, 1_000_000, 0);
    let (first, usage) = segment.usage.iter().next().map(|(used, usage)| (used.clone(), *usage)).unwrap();
    let second = Used { prices: "v2".to_owned(), ..first.clone() };
    let price = segment.list[&first];
    segment.usage.insert(second.clone(), usage);
    segment.list.insert(second.clone(), price);
    assert_eq!(lines(&rate(&account).unwrap()), [("a/model, input tokens", amount("4"))]);
    account.segments[0].list.insert(second, Price { input: PricePerMillion(3_000_000_000), ..price });
    let wanted = [("a/model, input tokens", amount("2")), ("a/model, input tokens", amount("3"))];
    assert_eq!(lines(&rate(&account).unwrap()), wanted);
}

/// What is wrong, and how it gets wrong.
type Break = (&'static str, fn(&mut Account));

#[test]
fn an_account_that_contradicts_itself_is_refused() {
    let good = november(&[("2026-11-01", plan()), ("2026-11-10", plan())], None);
    assert!(rate(&good).is_ok());
    let breaks: [Break; 7] = [
        ("overlap", |account| account.segments[1].from = at("2026-11-09")),
        ("outside", |account| account.segments[1].to = at("2026-12-02")),
        ("no length", |account| account.to = account.from),
        ("currency", |account| account.currency = Currency::USD),
        ("bad plan", |account| account.segments[0].plan.usd = Amount::ZERO),
        ("across the trial's end", |account| {
            account.segments[0].plan.trial = Some(Trial { days: 1, credit: Amount::ZERO });
            account.segments[0].trial_until = Some(at("2026-11-05"));
        }),
        ("no price", |account| {
            uses(&mut account.segments[0], 1, 1);
            account.segments[0].list.clear();
        }),
    ];
    for (what, change) in breaks {
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(rate(&bad).unwrap_err().code(), "internal", "{what}");
    }
}

#[test]
fn own_keys_are_left_out_of_what_is_charged() {
    use crate::{id::KeyId, usage::TotalRow};
    let mut total = Total::default();
    for (key, byok, tokens) in [(1, false, 3), (2, false, 4), (1, true, 100)] {
        let usage = Usage { input_tokens: Tokens(tokens), ..Usage::default() };
        let key = crate::usage::RowKey {
            key: KeyId::new(Timestamp(key)),
            model: MODEL.to_owned(),
            prices: "v1".to_owned(),
            byok,
        };
        total.rows.insert(key, TotalRow { usage, ..TotalRow::default() });
    }
    let charged = charged(&total).unwrap();
    assert_eq!(charged.len(), 1);
    assert_eq!(charged.values().next().unwrap().input_tokens, Tokens(7));
    assert_eq!(price::tokens(charged.values().next().unwrap(), TokenKind::Input), 7);
}
