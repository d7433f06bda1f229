//! How long a tenant has content kept.

use std::time::Duration;

use crate::clock::Timestamp;

/// How long anything of requests and answers may be kept. It holds for what is kept already, too: whoever reads looks at
/// when it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention(pub Option<Duration>);

impl Retention {
    /// Whether nothing may be kept at all.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self.0 == Some(Duration::ZERO)
    }

    /// The shorter of both times.
    #[must_use]
    pub fn clip(self, time: Duration) -> Duration {
        self.0.map_or(time, |most| most.min(time))
    }

    /// Whatever was said before this must not be read any more.
    #[must_use]
    pub fn since(self, now: Timestamp) -> Timestamp {
        self.0.map_or(Timestamp(0), |most| now.before(most))
    }

    /// When what was said at `at` must be gone: at `end`, or earlier.
    #[must_use]
    pub fn ends(self, at: Timestamp, end: Timestamp) -> Timestamp {
        self.0.map_or(end, |most| at.after(most).min(end))
    }
}
