//! A load generator on bare HTTP/1.1 connections: one task per connection, kept alive, so that what is measured is the
//! server and not a client's pool.

mod connection;
mod report;
mod sequence;
mod sse;
mod tally;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};

pub use report::{Quantiles, Report};

use connection::Target;
use tally::Tally;
use worker::Plan;

/// What to send, how often, and what to expect.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// An absolute `http://` URL; the request is a POST.
    pub url: String,
    /// Header fields besides `host`, `content-type` and `content-length`.
    pub headers: HeaderMap,
    /// The body. Each `@n@` in it becomes a number that no other request of the run has, so that no cache answers.
    pub body: String,
    /// How many connections send at the same time, each one request after the other.
    pub connections: usize,
    /// When it ends.
    pub until: Until,
    /// What the answers are.
    pub mode: Mode,
    /// The status of a success; any other is an error.
    pub status: StatusCode,
}

/// When a run ends.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// No request starts after this time; those under way are completed.
    Elapsed(Duration),
    /// After this many requests in all.
    Requests(u64),
}

/// What the answers of a run are.
#[derive(Debug, Clone)]
pub enum Mode {
    /// A body that is read to its end.
    Buffered,
    /// A stream of chat completion chunks.
    Stream(Expected),
}

/// What each stream must bring.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// The content deltas in order, no two the same; none: anything goes.
    pub deltas: Arc<[String]>,
    /// A chunk that comes later than this after the one before it counts as held back.
    pub longest_gap: Option<Duration>,
}

/// Why a run could not start.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The URL is not `http://host:port/path`.
    #[error("not an http URL with a host and a port: {0}")]
    Url(String),
    /// A name or an address that cannot be connected to.
    #[error("cannot connect to {0}: {1}")]
    Connect(String, std::io::Error),
    /// A task of the run panicked.
    #[error("a connection's task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Runs the load and reports; errors of single requests are counted in the report.
///
/// # Errors
/// The URL is not usable, or nothing listens there.
pub async fn run(options: LoadOptions) -> Result<Report, LoadError> {
    let target = Target::new(&options.url, options.headers)?;
    target.probe().await?;
    let started = Instant::now();
    let LoadOptions { body, connections, until, mode, status, .. } = options;
    let plan = Arc::new(Plan::new(target, &body, until, mode, status, started));
    let tasks: Vec<_> = (0..connections).map(|_| tokio::spawn(worker::work(Arc::clone(&plan)))).collect();
    let mut total = Tally::default();
    for task in tasks {
        total.add(&task.await?);
    }
    Ok(Report::new(&total, started.elapsed()))
}
