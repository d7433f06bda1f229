//! What each kind of request takes, measured with the functions' own binaries: calls and capacity units as the engines
//! count them, processor time, bytes. `cargo xtask cost` makes money of it.

mod background;
mod items;
mod report;
mod requests;
mod tally;
mod wire;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::lambda::{Binaries, Engines};
use crate::standin::{Standin, StandinOptions};

pub use background::{Aggregation, Sweep};
pub use items::Meter;
pub use report::toml;
pub use requests::Request;

/// Anything that goes wrong while measuring ends it.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// What was measured, as `docs/measured.toml` has it.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Where and when.
    pub run: Run,
    /// An average request of each kind.
    pub requests: BTreeMap<&'static str, Request>,
    /// A tenant's meter.
    pub meter: Meter,
    /// Counting.
    pub aggregation: Aggregation,
    /// Sweeping.
    pub sweep: Sweep,
}

/// Where and when it was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// The day.
    pub date: String,
    /// The commit.
    pub commit: String,
    /// The machine, as [`machine`] says it.
    pub machine: String,
    /// How the binaries were built.
    pub build: String,
    /// Requests of each kind.
    pub requests: u32,
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The `lmo` binary.
    pub lmo: PathBuf,
    /// The folder of the functions' binaries or packages.
    pub functions: PathBuf,
}

/// What the measurements share.
struct Scene {
    binaries: Binaries,
    engines: Engines,
    standin: Standin,
    /// Requests of each kind.
    count: u32,
}

/// Measures `run.requests` requests of each kind, one after another.
///
/// # Errors
/// A program that doesn't start, or an answer that is none.
pub async fn measure(programs: &Programs, run: Run) -> Outcome<Measured> {
    let count = run.requests;
    let options = StandinOptions { remember: usize::try_from(count)? * 2, ..StandinOptions::default() };
    let standin = Standin::start(options)?;
    let engines = Engines::start(&programs.lmo, &catalogue(&standin.base_url()))?;
    let scene = Scene { binaries: Binaries::of(&programs.functions)?, engines, standin, count };
    let requests = requests::measure(&scene).await?;
    let meter = items::meter(&scene).await?;
    let (aggregation, sweep) = background::measure(&scene).await?;
    Ok(Measured { run, requests, meter, aggregation, sweep })
}

fn catalogue(standin: &str) -> String {
    format!(
        r#"[providers.standin]
kind = "openai"
base_url = "{standin}"

[models."small"]
provider = "standin"
upstream = "small"
context_window = 128000
max_output_tokens = 4096
capabilities = ["chat", "stream"]
price = {{ input = 0.25, cached_input = 0.025, output = 2, cache_hit = 0.02 }}

[models."embedding"]
provider = "standin"
upstream = "embedding"
context_window = 8192
capabilities = ["embed"]
dimensions = 1536
price = {{ input = 0.02 }}

[aliases]
default = "small"
embed = "embedding"
"#
    )
}

/// The machine as far as it matters, from `/proc`.
#[must_use]
pub fn machine() -> String {
    let file = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    let processors = file("/proc/cpuinfo");
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = processors.lines().filter(|line| line.starts_with("processor")).count();
    let kib = file("/proc/meminfo").lines().find_map(|line| {
        let kib: u64 = line.strip_prefix("MemTotal:")?.trim().trim_end_matches(" kB").parse().ok()?;
        Some(kib)
    });
    let gib = kib.unwrap_or_default().div_ceil(1024 * 1024);
    format!("{cores} cores of {}, {gib} GiB", model.map_or("an unknown processor", |(_, name)| name))
}
