//! Numbers without gaps: a counter that moves on in the transaction that uses its numbers.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    clock::Timestamp,
    error::Result,
    store::{Change, Step, Table, keys, keys::Sequence, number},
};

/// The last number that was given.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Counter {
    highest: u64,
}

/// Numbers that are free as far as is known.
pub(super) struct Numbers {
    sequence: Sequence,
    year: i32,
    before: u64,
}

impl Numbers {
    /// Those of the year that `now` lies in.
    pub async fn read(table: &Table, sequence: Sequence, now: Timestamp) -> Result<Self> {
        let year = year_of(now);
        let counter: Option<Counter> = table.billing().find(&keys::numbers(sequence, year)).await?;
        Ok(Self { sequence, year, before: counter.unwrap_or_default().highest })
    }

    /// The number at a place, from 0.
    pub fn at(&self, prefix: &str, place: usize) -> String {
        let number = self.before.saturating_add(u64::try_from(place).unwrap_or(u64::MAX)).saturating_add(1);
        format!("{prefix}{:04}-{number:06}", self.year)
    }

    /// Uses so many of them up in a change, which is refused if somebody else was quicker.
    pub fn take(&self, change: &mut Change, count: usize) -> Result<Step> {
        let last = self.before + u64::try_from(count).unwrap_or(u64::MAX);
        let (table, sort) = (change.table().billing(), keys::numbers(self.sequence, self.year));
        let next = Counter { highest: last };
        match self.before {
            0 => change.put_new(&table, &sort, &next),
            before => change.put_if(&table, &sort, &next, "highest = :before", &[(":before", number(before))]),
        }
    }
}

/// The year that a time lies in, in UTC.
pub(super) fn year_of(at: Timestamp) -> i32 {
    let seconds = i64::try_from(at.seconds()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_or(1970, OffsetDateTime::year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_is_that_of_the_invoices_date() {
        assert_eq!(year_of(Timestamp::parse("2026-12-31T23:59:59.999Z").unwrap()), 2026);
        assert_eq!(year_of(Timestamp::parse("2027-01-01").unwrap()), 2027);
    }

    #[test]
    fn a_number_has_prefix_year_and_six_digits() {
        let numbers = Numbers { sequence: Sequence::Invoices, year: 2026, before: 41 };
        assert_eq!(numbers.at("LMO-", 0), "LMO-2026-000042");
        assert_eq!(Numbers { before: 1_234_567, ..numbers }.at("", 1), "2026-1234569");
    }
}
