//! What a plan may say.

use super::{Amount, Charge, Currency, KindPrices, Overage, Package, Percent, Plan, PriceRule, Tier};
use crate::error::{Error, Result};

/// The most that anything in a plan costs: a billion units. With it no realistic usage overflows, and nobody pays more.
const MOST: Amount = Amount::units(1_000_000_000);
/// The most units of a currency that a dollar is.
const MOST_FOR_A_DOLLAR: Amount = Amount::units(1_000_000);
/// The highest markup: 1000 %.
const HIGHEST_MARKUP: Percent = Percent(10 * Percent::ALL.0);
/// The most rules of a plan, models of a rule, and tiers.
const MOST_IN_A_LIST: usize = 100;
/// The longest trial, in days.
const LONGEST_TRIAL: u32 = 366;

impl Plan {
    /// Whether it can be sold and rated.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong, as a path into the plan: `prices[1].graduated[0].up_to`.
    pub fn check(&self) -> Result<()> {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        require(
            !self.name.is_empty() && self.name.len() <= 64 && self.name.bytes().all(letters),
            "name",
            "must be 1 to 64 of a-z, 0-9 and -",
        )?;
        let title = self.title.trim();
        let is_title = !title.is_empty() && title.chars().count() <= 100 && !title.chars().any(char::is_control);
        require(is_title, "title", "must be 1 to 100 characters")?;
        money(self.base_fee, "base_fee")?;
        if let Some(seats) = &self.seats {
            money(seats.fee, "seats.fee")?;
        }
        money(self.minimum, "minimum")?;
        money(self.included_credit, "included_credit")?;
        if let Some(trial) = &self.trial {
            require((1..=LONGEST_TRIAL).contains(&trial.days), "trial.days", "must be from 1 to 366")?;
            money(trial.credit, "trial.credit")?;
        }
        self.check_overage()?;
        markup(self.markup, "markup")?;
        let is_rate = self.usd > Amount::ZERO && self.usd <= MOST_FOR_A_DOLLAR;
        require(is_rate, "usd", "must be above 0 and at most 1,000,000")?;
        let at_par = self.currency != Currency::USD || self.usd == Amount::units(1);
        require(at_par, "usd", "must be \"1\" in a plan in USD")?;
        in_a_list(&self.prices, 0, "prices")?;
        self.prices.iter().enumerate().try_for_each(|(place, rule)| check_rule(rule, &format!("prices[{place}]")))
    }

    fn check_overage(&self) -> Result<()> {
        match self.overage {
            Overage::Charged | Overage::Prepaid => Ok(()),
            Overage::UpTo(most) => {
                money(most, "overage.up_to")?;
                require(
                    most.rounded(self.currency) == most,
                    "overage.up_to",
                    "must be an amount that the currency has coins for",
                )
            }
            Overage::Refused => {
                let includes = self.included_tokens > 0 || self.included_credit > Amount::ZERO;
                require(includes, "overage", "can't be refused in a plan that includes neither tokens nor credit")
            }
        }
    }
}

fn check_rule(rule: &PriceRule, at: &str) -> Result<()> {
    in_a_list(&rule.models, 1, &format!("{at}.models"))?;
    for (place, model) in rule.models.iter().enumerate() {
        let beginning = model.strip_suffix('*').unwrap_or(model);
        let is_name = !model.is_empty() && !beginning.contains('*') && !model.contains(char::is_whitespace);
        require(
            is_name,
            &format!("{at}.models[{place}]"),
            "must be a model's name, or the beginning of one with * behind it",
        )?;
    }
    match &rule.charge {
        Charge::Markup(percent) => markup(*percent, &format!("{at}.markup")),
        Charge::PerMillion(prices) => check_prices(prices, &format!("{at}.per_million")),
        Charge::Graduated(tiers) => check_tiers(tiers, &format!("{at}.graduated")),
        Charge::Volume(tiers) => check_tiers(tiers, &format!("{at}.volume")),
        Charge::Package(Package { tokens, price }) => {
            require(*tokens > 0, &format!("{at}.package.tokens"), "must be at least 1")?;
            money(*price, &format!("{at}.package.price"))
        }
    }
}

fn check_prices(prices: &KindPrices, at: &str) -> Result<()> {
    let named = [
        ("input", Some(prices.input)),
        ("cached_input", prices.cached_input),
        ("cache_write", prices.cache_write),
        ("cache_write_1h", prices.cache_write_1h),
        ("output", Some(prices.output)),
        ("cache_hit", prices.cache_hit),
    ];
    let given = named.into_iter().filter_map(|(name, price)| Some((name, price?)));
    given.into_iter().try_for_each(|(name, price)| money(price, &format!("{at}.{name}")))
}

fn check_tiers(tiers: &[Tier], at: &str) -> Result<()> {
    in_a_list(tiers, 1, at)?;
    let mut below = 0;
    for (place, tier) in tiers.iter().enumerate() {
        let at = format!("{at}[{place}]");
        let is_last = place + 1 == tiers.len();
        match tier.up_to {
            Some(up_to) => {
                require(!is_last, &format!("{at}.up_to"), "must be absent in the last tier, which has no end")?;
                require(up_to > below, &format!("{at}.up_to"), "must be above that of the tier before")?;
                below = up_to;
            }
            None => require(is_last, &format!("{at}.up_to"), "may be absent in the last tier alone")?,
        }
        money(tier.price, &format!("{at}.price"))?;
        money(tier.flat, &format!("{at}.flat"))?;
    }
    Ok(())
}

fn money(amount: Amount, at: &str) -> Result<()> {
    require((Amount::ZERO..=MOST).contains(&amount), at, "must be from 0 to 1,000,000,000")
}

fn markup(percent: Percent, at: &str) -> Result<()> {
    let range = Percent(-Percent::ALL.0)..=HIGHEST_MARKUP;
    require(range.contains(&percent), at, "must be from -100 to 1000")
}

fn in_a_list<T>(list: &[T], least: usize, at: &str) -> Result<()> {
    require(list.len() >= least, at, "must not be empty")?;
    require(list.len() <= MOST_IN_A_LIST, at, "must have at most 100")
}

fn require(holds: bool, at: &str, problem: &'static str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::invalid(at, problem)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    /// The field, the plan of the example, and what makes the field wrong.
    type Fault = (&'static str, &'static str, fn(&mut Plan));

    fn example(name: &str) -> Plan {
        let plans = super::super::plans_from_toml(include_str!("../../../plans.toml"), Timestamp(1)).unwrap();
        plans.into_iter().find(|plan| plan.name == name).unwrap()
    }

    fn fault(name: &str, change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = example(name);
        change(&mut plan);
        match plan.check() {
            Err(Error::Invalid { param, .. }) => param,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        let negative = Amount(-1);
        let faults: [Fault; 19] = [
            ("name", "team", |plan| plan.name = "Team".to_owned()),
            ("name", "team", |plan| plan.name = "a".repeat(65)),
            ("title", "team", |plan| plan.title = " ".to_owned()),
            ("title", "team", |plan| plan.title = "a\nb".to_owned()),
            ("base_fee", "team", |plan| plan.base_fee = Amount::units(1_000_000_001)),
            ("included_credit", "team", |plan| plan.included_credit = Amount(-1)),
            ("trial.days", "team", |plan| plan.trial.as_mut().unwrap().days = 0),
            ("overage.up_to", "team", |plan| plan.overage = Overage::UpTo(Amount(5_000_000))),
            ("overage", "team", |plan| {
                (plan.overage, plan.included_credit) = (Overage::Refused, Amount::ZERO);
            }),
            ("markup", "team", |plan| plan.markup = Percent(-1_000_001)),
            ("usd", "team", |plan| plan.usd = Amount::ZERO),
            ("usd", "prepaid", |plan| plan.currency = Currency::USD),
            ("prices[0].models", "enterprise", |plan| plan.prices[0].models.clear()),
            ("prices[0].models[0]", "enterprise", |plan| plan.prices[0].models[0] = "a*b".to_owned()),
            ("prices[0].per_million.cached_input", "enterprise", |plan| {
                let Charge::PerMillion(prices) = &mut plan.prices[0].charge else { panic!("another example") };
                prices.cached_input = Some(Amount(-1));
            }),
            ("prices[1].graduated[1].up_to", "enterprise", |plan| tiers(plan, 1)[1].up_to = Some(1)),
            ("prices[1].graduated[0].up_to", "enterprise", |plan| tiers(plan, 1)[0].up_to = None),
            ("prices[2].volume[1].up_to", "enterprise", |plan| tiers(plan, 2)[1].up_to = Some(u64::MAX)),
            ("prices[2].volume", "enterprise", |plan| tiers(plan, 2).clear()),
        ];
        for (field, name, change) in faults {
            assert_eq!(fault(name, change), field);
        }
        assert_eq!(fault("team", |plan| plan.seats.as_mut().unwrap().fee = negative), "seats.fee");
        let models = vec!["m".to_owned(); 101];
        assert_eq!(fault("enterprise", |plan| plan.prices[3].models = models), "prices[3].models");
    }

    fn tiers(plan: &mut Plan, place: usize) -> &mut Vec<Tier> {
        match &mut plan.prices[place].charge {
            Charge::Graduated(tiers) | Charge::Volume(tiers) => tiers,
            Charge::Markup(_) | Charge::PerMillion(_) | Charge::Package(_) => panic!("another example"),
        }
    }

    #[test]
    fn a_plan_reads_back_from_json_and_from_the_table() {
        for name in ["free", "team", "enterprise", "prepaid"] {
            let plan = example(name);
            let json = serde_json::to_string(&plan).unwrap();
            assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
            let item: serde_dynamo::Item = serde_dynamo::to_item(&plan).unwrap();
            assert_eq!(serde_dynamo::from_item::<_, Plan>(item).unwrap(), plan);
        }
    }
}
