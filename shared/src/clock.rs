//! Time is passed in: this file alone reads the machine's clock. Periods are UTC.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that a test sets, in milliseconds since the epoch.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands still at `at` until it is advanced.
    #[must_use]
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicU64::new(at.0)))
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
            }
            Self::Manual(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock on; the machine's clock doesn't care.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(at) = self {
            at.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Later by `by`.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Earlier by `by`, not before the epoch.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this one, zero if it is the other way round.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since the epoch, as DynamoDB's TTL wants them.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// Minutes since the epoch: the number of the rate window.
    #[must_use]
    pub fn minute(self) -> u64 {
        self.0 / 60_000
    }

    /// From RFC 3339 text or a plain date (`2026-11-22`, its first instant).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let at = OffsetDateTime::parse(&full, &Rfc3339).ok()?;
        u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    fn utc(self) -> OffsetDateTime {
        let nanos = i128::from(self.0) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(at: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_millis(at.0)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.utc().format(&Rfc3339).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granularity {
    /// A UTC hour, written `2026-11-22T08`.
    Hour,
    /// A UTC day, written `2026-11-22`.
    Day,
    /// A UTC month, written `2026-11`.
    Month,
}

/// A UTC hour, day or month. Its text sorts by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// How long it is.
    pub granularity: Granularity,
    start: Timestamp,
}

impl Period {
    /// The period that `at` lies in.
    #[must_use]
    pub fn of(granularity: Granularity, at: Timestamp) -> Self {
        const HOUR: u64 = 3_600_000;
        let start = match granularity {
            Granularity::Hour => at.0 - at.0 % HOUR,
            Granularity::Day => at.0 - at.0 % (24 * HOUR),
            Granularity::Month => {
                let day = at.0 - at.0 % (24 * HOUR);
                day - u64::from(at.utc().day() - 1) * 24 * HOUR
            }
        };
        Self { granularity, start: Timestamp(start) }
    }

    /// The month that `at` lies in.
    #[must_use]
    pub fn month(at: Timestamp) -> Self {
        Self::of(Granularity::Month, at)
    }

    /// Its first instant.
    #[must_use]
    pub fn start(self) -> Timestamp {
        self.start
    }

    /// The first instant after it.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.next().start
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        let hours = match self.granularity {
            Granularity::Hour => 1,
            Granularity::Day => 24,
            Granularity::Month => 31 * 24,
        };
        Self::of(self.granularity, self.start.after(Duration::from_secs(hours * 3600)))
    }

    /// The one before it.
    #[must_use]
    pub fn previous(self) -> Self {
        Self::of(self.granularity, self.start.before(Duration::from_millis(1)))
    }

    /// From the text that `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (granularity, full) = match text.len() {
            7 => (Granularity::Month, format!("{text}-01T00:00:00Z")),
            10 => (Granularity::Day, format!("{text}T00:00:00Z")),
            13 => (Granularity::Hour, format!("{text}:00:00Z")),
            _ => return None,
        };
        Some(Self::of(granularity, Timestamp::parse(&full)?))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.start.utc();
        write!(f, "{:04}-{:02}", at.year(), u8::from(at.month()))?;
        match self.granularity {
            Granularity::Month => Ok(()),
            Granularity::Day => write!(f, "-{:02}", at.day()),
            Granularity::Hour => write!(f, "-{:02}T{:02}", at.day(), at.hour()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let month = Period::month(Timestamp::parse("2027-02-28T23:59:59Z").unwrap());
        assert_eq!(month.to_string(), "2027-02");
        assert_eq!(month.end().to_string(), "2027-03-01T00:00:00Z");
        assert_eq!(month.previous().to_string(), "2027-01");
    }

    #[test]
    fn a_period_reads_back_what_it_writes() {
        for text in ["2026-11", "2026-11-22", "2026-11-22T08"] {
            assert_eq!(Period::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Period::parse("2026-13"), None);
    }
}
