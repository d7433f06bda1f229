//! What a month will have used when it is over. The method is simple and the same for all:
//!
//! - Each day to come uses what days of its weekday used on average in the last 28 days (those since the tenant began), of
//!   which today has its remaining part. A weekday that there wasn't is like the average of all; without any whole day, today
//!   goes on as it began.
//! - In four of five months the result is between `low` and `high`, if days differ by chance alone: 1.28 standard deviations
//!   of a day from its weekday's average, times the root of the number of days to come. Within the first two days nothing is
//!   known of that: then it is between nothing more and twice as much.
//! - What comes is asked of the same models, in the same proportions and at the same prices, as all that it is computed from.
//! - Nobody uses more than a cap allows.

use std::collections::BTreeMap;

use super::{Used, charged};
use crate::{
    clock::{Granularity, Period, Timestamp},
    error::Result,
    llm::Usage,
    money::Tokens,
    quota::Limits,
    usage::{Total, TotalRow},
};

/// How many days are looked back on: four of each weekday.
pub const DAYS: u64 = 28;
const DAY: u64 = 86_400_000;

/// What is known of a tenant's days.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// The tokens of each whole day before today, with those that had none.
    pub days: BTreeMap<Period, u64>,
    /// The tokens of today until now.
    pub today: u64,
    /// All of these together.
    pub mix: Total,
}

/// What more a month will use, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rest {
    /// What it comes to most likely.
    pub expected: u64,
    /// A low figure.
    pub low: u64,
    /// A high one.
    pub high: u64,
}

impl Past {
    /// What is known now of a tenant that began at `since`, from the totals of its days.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn of(totals: &[(Period, Total)], since: Timestamp, now: Timestamp) -> Result<Self> {
        let (today, mut past) = (Period::of(Granularity::Day, now), Self::default());
        let first = Period::of(Granularity::Day, since.max(Timestamp(today.start().0.saturating_sub(DAYS * DAY))));
        let mut day = first;
        while day < today {
            past.days.insert(day, 0);
            day = day.next();
        }
        for (day, total) in totals {
            let tokens = total.sum()?.tokens()?.0;
            match past.days.get_mut(day) {
                Some(known) => *known = tokens,
                None if *day == today => past.today = tokens,
                None => continue,
            }
            past.mix.merge(total)?;
        }
        Ok(past)
    }

    /// How much more will be used until `end`.
    #[must_use]
    pub fn rest(&self, now: Timestamp, end: Timestamp) -> Rest {
        let today = Period::of(Granularity::Day, now);
        let so_fast = u128::from(self.today) * u128::from(DAY) / u128::from(now.0 - today.start().0).max(1);
        let average = mean(self.days.values().copied()).unwrap_or(so_fast);
        let of = |day: Period| mean(self.like(day)).unwrap_or(average);
        let (mut expected, mut left, mut day) = (0_u128, 0_u128, today);
        while day.start() < end {
            let part = u128::from(day.end().min(end).0.saturating_sub(day.start().max(now).0));
            expected += of(day) * part / u128::from(DAY);
            left += part;
            day = day.next();
        }
        let width = match self.variance(average, of) {
            Some(variance) => (variance.saturating_mul(left) / u128::from(DAY)).isqrt() * 128 / 100,
            None => expected,
        };
        let bounded = |figure: u128| u64::try_from(figure).unwrap_or(u64::MAX);
        Rest {
            expected: bounded(expected),
            low: bounded(expected.saturating_sub(width)),
            high: bounded(expected.saturating_add(width)),
        }
    }

    fn like(&self, day: Period) -> impl Iterator<Item = u64> {
        self.days.iter().filter(move |(other, _)| weekday(**other) == weekday(day)).map(|(_, tokens)| *tokens)
    }

    /// How much days differ from what was to be expected of them; `None` if there are too few to tell.
    fn variance(&self, average: u128, of: impl Fn(Period) -> u128) -> Option<u128> {
        let number = self.days.len() as u128;
        let of_weekdays = number > 7;
        let known = if of_weekdays { 7 } else { 1 };
        let square = |(day, tokens): (&Period, &u64)| {
            let off = u128::from(*tokens).abs_diff(if of_weekdays { of(*day) } else { average });
            off.saturating_mul(off)
        };
        let sum = self.days.iter().map(square).fold(0, u128::saturating_add);
        (number > known).then(|| sum / (number - known))
    }

    /// What so many tokens more are, in the models' proportions: what of it is charged, and its list price in nano-USD.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn more(&self, tokens: u64) -> Result<(BTreeMap<Used, Usage>, u64)> {
        let sum = self.mix.sum()?;
        let whole = sum.tokens()?.0;
        if whole == 0 {
            return Ok((BTreeMap::new(), 0));
        }
        let used = charged(&self.mix)?.into_iter().map(|(used, usage)| (used, part(usage, tokens, whole)));
        Ok((used.collect(), share(sum.nano_usd.0, tokens, whole)))
    }

    /// How many more tokens limits allow a month that has spent this much.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn allowed(&self, limits: &Limits, spent: &TotalRow) -> Result<u64> {
        let sum = self.mix.sum()?;
        let tokens = spent.tokens()?.0;
        let by_tokens = limits.monthly_tokens.map_or(u64::MAX, |cap| cap.saturating_sub(tokens));
        let by_money = match limits.monthly_nano_usd {
            Some(cap) if sum.nano_usd.0 > 0 => {
                share(cap.saturating_sub(spent.nano_usd.0), sum.tokens()?.0, sum.nano_usd.0)
            }
            Some(_) | None => u64::MAX,
        };
        Ok(by_tokens.min(by_money))
    }
}

impl Rest {
    /// The same, but nothing beyond what is allowed.
    #[must_use]
    pub fn within(self, allowed: u64) -> Self {
        Self { expected: self.expected.min(allowed), low: self.low.min(allowed), high: self.high.min(allowed) }
    }
}

/// The weekday, in some order.
fn weekday(day: Period) -> u64 {
    day.start().0 / DAY % 7
}

fn mean(figures: impl Iterator<Item = u64>) -> Option<u128> {
    let (sum, number) = figures.fold((0, 0), |(sum, number), figure| (sum + u128::from(figure), number + 1));
    (number > 0).then(|| sum / number)
}

fn share(figure: u64, part: u64, whole: u64) -> u64 {
    let share = u128::from(figure) * u128::from(part) / u128::from(whole);
    u64::try_from(share).unwrap_or(u64::MAX)
}

fn part(usage: Usage, tokens: u64, whole: u64) -> Usage {
    let of = |figure: Tokens| Tokens(share(figure.0, tokens, whole));
    Usage {
        input_tokens: of(usage.input_tokens),
        cached_input_tokens: of(usage.cached_input_tokens),
        cache_write_tokens: of(usage.cache_write_tokens),
        cache_write_1h_tokens: of(usage.cache_write_1h_tokens),
        output_tokens: of(usage.output_tokens),
        reasoning_tokens: of(usage.reasoning_tokens),
        cache_hit_tokens: of(usage.cache_hit_tokens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn past(now: Timestamp, days: u64, tokens: impl Fn(Period) -> u64) -> Past {
        let today = Period::of(Granularity::Day, now);
        let days = (1..=days).map(|ago| Period::of(Granularity::Day, Timestamp(today.start().0 - ago * DAY)));
        Past { days: days.map(|day| (day, tokens(day))).collect(), ..Past::default() }
    }

    #[test]
    fn what_is_the_same_each_day_goes_on_so() {
        let now = at("2026-11-20T12:00:00Z");
        let rest = past(now, 28, |_| 1_000).rest(now, at("2026-12-01"));
        assert_eq!(rest, Rest { expected: 10_500, low: 10_500, high: 10_500 });
    }

    #[test]
    fn weekdays_are_not_like_weekends() {
        let now = at("2026-11-27T00:00:00Z");
        let is_weekend = |day: Period| {
            ["2026-11-28", "2026-11-29"].iter().any(|other| weekday(Period::parse(other).unwrap()) == weekday(day))
        };
        let rest = past(now, 28, |day| if is_weekend(day) { 0 } else { 700 }).rest(now, at("2026-12-01"));
        // Friday and Monday.
        assert_eq!(rest, Rest { expected: 1_400, low: 1_400, high: 1_400 });
    }

    #[test]
    fn the_first_day_goes_on_as_it_began_and_nobody_knows_how_sure_that_is() {
        let now = at("2026-11-29T06:00:00Z");
        let rest = Past { today: 100, ..Past::default() }.rest(now, at("2026-12-01"));
        assert_eq!(rest, Rest { expected: 300 + 400, low: 0, high: 1_400 });
    }

    #[test]
    fn days_that_differ_make_it_less_sure() {
        let now = at("2026-11-27T00:00:00Z");
        let rest = past(now, 28, |day| if (day.start().0 / DAY).is_multiple_of(2) { 500 } else { 1_500 })
            .rest(now, at("2026-12-01"));
        assert!(rest.low < rest.expected && rest.expected < rest.high, "{rest:?}");
        assert_eq!(rest.expected, 4_000);
        assert_eq!(rest.expected - rest.low, rest.high - rest.expected);
    }

    #[test]
    fn at_the_months_end_nothing_more_comes() {
        let end = at("2026-12-01");
        let now = Timestamp(end.0 - 1);
        assert_eq!(past(now, 28, |_| 1_000).rest(now, end), Rest::default());
    }

    #[test]
    fn no_more_comes_than_is_allowed() {
        let rest = Rest { expected: 50, low: 10, high: 90 };
        assert_eq!(rest.within(40), Rest { expected: 40, low: 10, high: 40 });
        let limits = Limits { monthly_tokens: Some(100), ..Limits::default() };
        let spent = TotalRow { usage: Usage { input_tokens: Tokens(120), ..Usage::default() }, ..TotalRow::default() };
        assert_eq!(Past::default().allowed(&limits, &spent).unwrap(), 0);
        assert_eq!(Past::default().allowed(&Limits::default(), &spent).unwrap(), u64::MAX);
    }
}
