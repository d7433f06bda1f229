//! What can be seen of the platform from outside: logs, metrics and traces. Never a prompt, an answer, a key.
//!
//! * Logs (`log.rs`): one line per event with named fields, on standard error; one of them for every request.
//! * Metrics (`metrics.rs`): counted through the `metrics` facade. Functions print them to standard output in
//!   CloudWatch's embedded metric format; the laptop shows them to Prometheus.
//! * Traces: `trace.rs` reads and writes W3C trace context, `spans.rs` makes spans, which
//!   `outbox.rs` sends to an OpenTelemetry collector.
//!
//! `exchange.rs` is what all of them know of the request that is being answered.

use tracing_subscriber::{
    Layer, Registry,
    layer::{Filter, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::config::{BadVariable, Watch};

mod emf;
mod exchange;
mod log;
pub mod metrics;
mod outbox;
pub mod spans;
pub mod trace;

pub use emf::print_to as print_metrics_to;
pub use exchange::{Exchange, carry};
pub(crate) use exchange::{apart, failed, learn};

/// Where the process runs, and so who reads what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// On Lambda: lines are JSON objects, and metrics are printed in CloudWatch's embedded metric format.
    Json,
    /// On a laptop, for a person's eyes; whoever wants metrics installs a recorder.
    Text,
}

/// Starts it all. `RUST_LOG` chooses what is logged; `info` of LMO and warnings of everything else if unset. Nobody but
/// LMO logs more than `info`, whatever `RUST_LOG` says: below that, libraries write what they send and receive. Calling
/// it again does nothing.
///
/// # Errors
/// A variable that is bad, by name. Logging has started all the same, so that it can be logged.
pub fn start(format: Format) -> Result<(), BadVariable> {
    let chosen = Watch::from_env().and_then(|watch| Ok((log::filter(watch.filter.as_deref())?, watch)));
    match chosen {
        Ok((filter, watch)) => install(format, filter, &watch),
        Err(bad) => {
            install(format, log::filter(None)?, &Watch::default());
            return Err(bad);
        }
    }
    Ok(())
}

fn install(format: Format, filter: impl Filter<Registry> + Send + Sync + 'static, watch: &Watch) {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        Format::Json => lines.event_format(log::Json::of(watch)).with_filter(filter).boxed(),
        Format::Text => lines.with_target(false).with_filter(filter).boxed(),
    };
    let spans = watch.collector.as_ref().map(|collector| spans::layer(collector, watch));
    // A second subscriber is refused, which is fine: the first one logs.
    if tracing_subscriber::registry().with(lines).with(spans).try_init().is_err() {
        return;
    }
    match format {
        Format::Json => emf::install(watch.function.as_deref().unwrap_or("lmo")),
        Format::Text => spans::export_in_background(),
    }
}

/// Sends out what was gathered, where the process may be frozen behind an invocation: functions call it at the end of
/// each. Elsewhere it does nothing. It takes half a second at most, whatever the collector does, and never fails.
pub async fn flush() {
    if emf::print() {
        spans::export().await;
    }
}

/// Sends out what is left, at the end of the process.
pub async fn close() {
    emf::print();
    spans::export().await;
}
