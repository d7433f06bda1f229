//! What one connection counts, and the sum of all.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::sequence::Flaws;

/// Times are recorded in nanoseconds, to three digits.
#[derive(Debug)]
pub(super) struct Tally {
    /// Requests answered with success.
    pub answered: u64,
    pub chunks: u64,
    pub held_back: u64,
    pub flaws: Flaws,
    pub errors: BTreeMap<String, u64>,
    pub latency: Histogram<u64>,
    pub first_chunk: Histogram<u64>,
    pub gap: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            answered: 0,
            chunks: 0,
            held_back: 0,
            flaws: Flaws::default(),
            errors: BTreeMap::new(),
            latency: times(),
            first_chunk: times(),
            gap: times(),
        }
    }
}

impl Tally {
    pub(super) fn error(&mut self, name: impl Into<String>) {
        *self.errors.entry(name.into()).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.chunks += other.chunks;
        self.held_back += other.held_back;
        self.add_flaws(other.flaws);
        for (name, count) in &other.errors {
            *self.errors.entry(name.clone()).or_default() += count;
        }
        self.latency += &other.latency;
        self.first_chunk += &other.first_chunk;
        self.gap += &other.gap;
    }

    pub(super) fn add_flaws(&mut self, flaws: Flaws) {
        self.flaws.lost += flaws.lost;
        self.flaws.reordered += flaws.reordered;
        self.flaws.foreign += flaws.foreign;
    }
}

pub(super) fn record(histogram: &mut Histogram<u64>, time: Duration) {
    histogram.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
}

fn times() -> Histogram<u64> {
    const TEN_MINUTES: u64 = 600_000_000_000;
    // Constant bounds that are in range, as the tests of this crate show by running.
    Histogram::new_with_bounds(100, TEN_MINUTES, 3).expect("bounds are valid")
}
