//! Metrics as CloudWatch's embedded metric format: lines of JSON in the log, from which CloudWatch makes metrics. One
//! line for the function and one for each model, each time that they are printed.

use std::{
    io::{self, Write},
    sync::OnceLock,
};

use metrics_cloudwatch_embedded::{Builder, Collector};

use super::metrics::describe;

static COLLECTOR: OnceLock<&'static Collector> = OnceLock::new();

/// Gathers metrics of this function from now on.
pub(super) fn install(function: &str) {
    let built = Builder::new().cloudwatch_namespace("LMO").with_dimension("Function", function.to_owned()).init();
    match built {
        Ok(collector) => {
            describe();
            let _ = COLLECTOR.set(collector);
        }
        Err(error) => tracing::error!(%error, "metrics are not gathered"),
    }
}

/// Prints what was gathered since the last time, if this process gathers; says whether it does.
pub(super) fn print() -> bool {
    // One write, so that lines of two threads don't mix.
    let mut lines = Vec::new();
    let gathers = print_to(&mut lines);
    if !lines.is_empty() {
        let mut out = io::stdout().lock();
        // Metrics that can't be printed are lost, which is no reason to fail a request.
        let _ = out.write_all(&lines).and_then(|()| out.flush());
    }
    gathers
}

/// The same, to wherever they shall go.
pub fn print_to(out: &mut impl Write) -> bool {
    let Some(collector) = COLLECTOR.get() else { return false };
    let _ = collector.flush(out);
    true
}
