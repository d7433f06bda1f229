//! The benchmark: each measurement through the gateway next to the same requests sent to the provider directly, and those
//! that take another way next to the ordinary ones.

mod routing;
mod turns;

use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::children::Gateway;
use crate::load::{LoadError, Report, Until};
use crate::process::{self, Memory};
use turns::{Shape, Turns};

pub use routing::{Asked, Round, Routing, route};

/// How long and how often to measure.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Effort {
    /// How often the gateway is started.
    pub starts: usize,
    /// Sent before each measurement and not counted, in seconds.
    pub warmup: f64,
    /// The length of each measurement, in seconds.
    pub measure: f64,
    /// How often direct and gateway take turns; the turn with the median of the medians counts.
    pub rounds: usize,
    /// Concurrent paced streams, and how many times each connection sends one.
    pub paced: (usize, u64),
    /// How many requests measure the cache, and how many a fallback, in each round.
    pub routed: u64,
}

impl Effort {
    /// For a published figure: about four minutes.
    pub const FULL: Self = Self { starts: 5, warmup: 1.0, measure: 6.0, rounds: 3, paced: (200, 5), routed: 2000 };
    /// For a look: under half a minute.
    pub const QUICK: Self = Self { starts: 1, warmup: 0.3, measure: 1.5, rounds: 1, paced: (200, 1), routed: 300 };
}

/// All results. Times are in microseconds unless the name says otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// How it was measured.
    pub effort: Effort,
    /// From spawning the gateway with an empty data directory to its first healthy answer.
    pub start_ms: Vec<f64>,
    /// The gateway's memory before the first request.
    pub idle: Memory,
    /// 16 connections, buffered.
    pub buffered: Pair,
    /// One connection, buffered.
    pub single: Pair,
    /// 16 connections, streams of 50 chunks.
    pub streams: Pair,
    /// One connection, streams of 50 chunks.
    pub single_stream: Pair,
    /// 200 connections, streams with 5 ms between chunks.
    pub paced: Pair,
}

/// The same load twice.
#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    /// Sent to the provider.
    pub direct: Report,
    /// Sent through the gateway.
    pub gateway: Report,
    /// CPU time of the gateway per successful request.
    pub cpu_per_request: f64,
    /// The gateway's memory afterwards.
    pub memory: Memory,
}

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A run could not start.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A process could not be started or looked at.
    #[error(transparent)]
    Process(#[from] io::Error),
    /// A key that is no header value.
    #[error("the gateway's key cannot be sent: {0}")]
    Key(#[from] http::header::InvalidHeaderValue),
    /// Every request of a measurement failed.
    #[error("no request to {url} succeeded: {errors}")]
    AllFailed {
        /// Where they were sent.
        url: String,
        /// How often each error occurred.
        errors: String,
    },
}

/// Measures everything, in order.
///
/// # Errors
/// A process is gone, or one of the measurements had no success at all.
pub async fn compare(
    standin: &str,
    gateway: &Gateway,
    start_ms: Vec<f64>,
    effort: Effort,
) -> Result<Comparison, CompareError> {
    let idle = process::memory(gateway.pid())?;
    let turns = Turns { standin, gateway, effort };
    let timed = Until::Elapsed(Duration::from_secs_f64(effort.measure));
    let (connections, each) = effort.paced;
    Ok(Comparison {
        effort,
        start_ms,
        idle,
        buffered: turns.pair(16, timed, &Shape::Buffered).await?,
        single: turns.pair(1, timed, &Shape::Buffered).await?,
        streams: turns.pair(16, timed, &Shape::Stream).await?,
        single_stream: turns.pair(1, timed, &Shape::Stream).await?,
        paced: turns.pair(connections, Until::Requests(connections as u64 * each), &Shape::Paced).await?,
    })
}
