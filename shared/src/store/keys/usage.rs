//! Meters, the ledger and its totals.

use ulid::Ulid;

use crate::{
    clock::{Granularity, Period, Timestamp},
    id::{KeyId, RequestId, TenantId},
    webhook::Measure,
};

/// How long a bucket of the ledger is, in milliseconds.
pub const BUCKET_MS: u64 = 10_000;

/// That a tenant is to be written that `percent` of a month's cap is spent, by when. Padded, so that text order is time order.
#[must_use]
pub fn letter(at: Timestamp, tenant: TenantId, month: Period, measure: Measure, percent: u8) -> String {
    format!("{:015}#{tenant}#{month}#{}#{percent:03}", at.0, measure.name())
}

/// Up to which sort key everything lies that is to be written by `now`.
#[must_use]
pub fn letters_until(now: Timestamp) -> String {
    format!("{:015}~", now.0)
}

/// What such a sort key says; `None` if it is none.
#[must_use]
pub fn parse_letter(sort: &str) -> Option<(Timestamp, TenantId, Period, Measure, u8)> {
    let mut parts = sort.split('#');
    let (at, tenant, month) = (parts.next()?, parts.next()?, parts.next()?);
    let (measure, percent) = (Measure::parse(parts.next()?)?, parts.next()?.parse().ok()?);
    Some((Timestamp(at.parse().ok()?), TenantId::parse(tenant)?, Period::parse(month)?, measure, percent))
}

/// What a meter counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MeterScope {
    /// The whole tenant; with the number of the sub-meter.
    Tenant(u8),
    /// One key.
    Key(KeyId),
}

/// A meter of a month.
#[must_use]
pub fn meter(month: Period, scope: MeterScope) -> String {
    match scope {
        MeterScope::Tenant(shard) => format!("METER#{month}#TENANT#{shard:02}"),
        MeterScope::Key(id) => format!("METER#{month}#KEY#{id}"),
    }
}

/// What all meters of a month begin with.
#[must_use]
pub fn meters(month: Period) -> String {
    format!("METER#{month}#")
}

/// What all sub-meters of the tenant in a month begin with.
#[must_use]
pub fn tenant_meters(month: Period) -> String {
    format!("METER#{month}#TENANT#")
}

/// Which scope a meter's sort key names; `None` if it is none.
#[must_use]
pub fn parse_meter(sort: &str) -> Option<MeterScope> {
    let mut parts = sort.strip_prefix("METER#")?.split('#').skip(1);
    match (parts.next()?, parts.next()?) {
        ("TENANT", shard) => shard.parse().ok().map(MeterScope::Tenant),
        ("KEY", id) => KeyId::parse(id).map(MeterScope::Key),
        _ => None,
    }
}

/// One request in its hour's ledger.
#[must_use]
pub fn request(id: RequestId) -> String {
    id.to_string()
}

/// Ten seconds of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u64);

impl Bucket {
    /// The one that a request belongs to, by its start.
    #[must_use]
    pub fn of(id: RequestId) -> Self {
        Self::at(id.made_at())
    }

    /// The one that `at` lies in.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        Self(at.0 / BUCKET_MS)
    }

    /// Its first instant.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp(self.0 * BUCKET_MS)
    }

    /// The hour that it is part of.
    #[must_use]
    pub fn hour(self) -> Period {
        Period::of(Granularity::Hour, self.start())
    }

    /// The sort keys of its first and last possible request.
    #[must_use]
    pub fn requests(self) -> (String, String) {
        let last = self.start().0 + BUCKET_MS - 1;
        let bound = |at, random| request(RequestId::from_ulid(Ulid::from_parts(at, random)));
        (bound(self.start().0, 0), bound(last, u128::MAX >> 48))
    }
}

/// Totals of ten seconds.
#[must_use]
pub fn bucket_total(bucket: Bucket) -> String {
    let hour = bucket.hour();
    format!("B#{hour}#{:03}", (bucket.start().0 - hour.start().0) / BUCKET_MS)
}

/// What the bucket totals of an hour begin with.
#[must_use]
pub fn bucket_totals(hour: Period) -> String {
    format!("B#{hour}#")
}

/// Totals of an hour, a day or a month.
#[must_use]
pub fn total(period: Period) -> String {
    let letter = match period.granularity {
        Granularity::Hour => 'H',
        Granularity::Day => 'D',
        Granularity::Month => 'M',
    };
    format!("{letter}#{period}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_request_lies_between_the_bounds_of_its_bucket_and_of_no_other(at in 0..1_u64 << 44) {
            let id = RequestId::new(Timestamp(at));
            let bucket = Bucket::of(id);
            let (first, last) = bucket.requests();
            prop_assert!(first <= request(id) && request(id) <= last);
            let (after, _) = Bucket(bucket.0 + 1).requests();
            prop_assert!(last < after);
        }
    }

    #[test]
    fn a_meters_key_reads_back() {
        let month = Period::parse("2026-11").unwrap();
        for scope in [MeterScope::Tenant(7), MeterScope::Key(KeyId::new(Timestamp(5)))] {
            assert_eq!(parse_meter(&meter(month, scope)), Some(scope));
        }
    }

    #[test]
    fn a_letters_key_reads_back_and_sorts_by_time() {
        let (tenant, month) = (TenantId::new(Timestamp(1)), Period::parse("2026-11").unwrap());
        for measure in [Measure::Tokens, Measure::Money] {
            let at = |at| letter(Timestamp(at), tenant, month, measure, 80);
            assert_eq!(parse_letter(&at(7)), Some((Timestamp(7), tenant, month, measure, 80)));
            assert!(at(9) < at(10) && at(10) < letters_until(Timestamp(10)));
        }
    }

    #[test]
    fn buckets_of_an_hour_sort_by_time() {
        let hour = Period::parse("2026-11-22T08").unwrap();
        let first = bucket_total(Bucket::at(hour.start()));
        let last = bucket_total(Bucket::at(Timestamp(hour.end().0 - 1)));
        assert_eq!((first.as_str(), last.as_str()), ("B#2026-11-22T08#000", "B#2026-11-22T08#359"));
    }
}
