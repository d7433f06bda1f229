//! What a run measured.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::tally::Tally;

/// The result of a run; times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Requests answered with success; for streams, those that ended with `[DONE]`.
    pub requests: u64,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Successful requests, or streams, per second.
    pub requests_per_second: f64,
    /// From sending a request to the end of its answer.
    pub latency: Quantiles,
    /// From sending a request to its first content chunk; empty unless streamed.
    pub first_chunk: Quantiles,
    /// Between the content chunks of a stream; empty unless streamed.
    pub gap: Quantiles,
    /// Content chunks.
    pub chunks: u64,
    /// Content chunks per second.
    pub chunks_per_second: f64,
    /// Chunks that came later after the one before than allowed.
    pub held_back: u64,
    /// Chunks that were expected and never came.
    pub lost: u64,
    /// Chunks that came after a later one.
    pub reordered: u64,
    /// Chunks that were not expected, doubled, or merged from several.
    pub foreign: u64,
    /// Failed requests by status, or by `connect`, `connection`, `incomplete`, `malformed event`, `error event`.
    pub errors: BTreeMap<String, u64>,
}

/// Quantiles of a time, in microseconds; zeros if nothing was measured.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Quantiles {
    /// How many times were measured.
    pub count: u64,
    /// The median.
    pub p50: f64,
    /// Nine of ten are not longer.
    pub p90: f64,
    /// 99 of a hundred are not longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Report {
    pub(super) fn new(tally: &Tally, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs_f64();
        Self {
            requests: tally.answered,
            seconds,
            requests_per_second: ratio(tally.answered, seconds),
            latency: Quantiles::of(&tally.latency),
            first_chunk: Quantiles::of(&tally.first_chunk),
            gap: Quantiles::of(&tally.gap),
            chunks: tally.chunks,
            chunks_per_second: ratio(tally.chunks, seconds),
            held_back: tally.held_back,
            lost: tally.flaws.lost,
            reordered: tally.flaws.reordered,
            foreign: tally.flaws.foreign,
            errors: tally.errors.clone(),
        }
    }

    /// Requests that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Whether every request succeeded and every chunk came once and in order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty() && self.lost + self.reordered + self.foreign == 0
    }

    /// Microseconds of `cpu` per successful request.
    #[must_use]
    pub fn cpu_per_request(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 / ratio(self.requests, 1.0).max(1.0)
    }
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| micros(histogram.value_at_quantile(quantile));
        Self { count: histogram.len(), p50: at(0.5), p90: at(0.9), p99: at(0.99), max: micros(histogram.max()) }
    }
}

fn micros(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "no run sends 2^52 requests")]
fn ratio(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}
