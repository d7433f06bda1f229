//! Logs: one line per event with named fields, on standard error, JSON in the cloud. Never a prompt, an answer, a key.

use tracing_subscriber::{EnvFilter, fmt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON objects, for CloudWatch.
    Json,
    /// For a person's eyes.
    Text,
}

/// Starts logging. `RUST_LOG` chooses what; `info` of LMO and warnings of everything else if unset. Calling it again
/// does nothing.
pub fn start(format: Format) {
    let chosen = crate::config::variable("RUST_LOG").unwrap_or_else(|| "warn,lmo=info,lmo_shared=info".to_owned());
    let builder = fmt().with_env_filter(EnvFilter::new(chosen)).with_writer(std::io::stderr);
    // A second subscriber is refused, which is fine: the first one logs.
    let _ = match format {
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Text => builder.with_target(false).try_init(),
    };
}
