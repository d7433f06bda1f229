//! What the functions' binaries cost on Lambda: their cold start, and what a warm one adds to each request.
//!
//! They run against the Runtime API of [`crate::lambda`] and `lmo engines`, all on this machine's loopback: what the
//! network and Lambda itself take comes on top.

mod cold;
mod table;
mod warm;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use crate::lambda::{Binaries, Engines, Invoke, event};
use crate::tls::TlsFront;

pub use cold::{Cold, Start};
pub use table::markdown;
pub use warm::Warm;

/// A catalogue whose only model needs no provider.
const ECHO: &str = r#"[providers.lmo]
kind = "echo"
[models."lmo/echo"]
provider = "lmo"
context_window = 100000
price = { input = 0, output = 0 }
[aliases]
default = "lmo/echo"
"#;

/// How often things are measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    starts: usize,
    requests: usize,
}

impl Effort {
    /// What the figures in BENCHMARKS.md are from.
    pub const FULL: Self = Self { starts: 20, requests: 1000 };
    /// Enough to see that it works.
    pub const QUICK: Self = Self { starts: 3, requests: 50 };
}

/// All figures.
#[derive(Debug)]
pub struct Costs {
    /// One for each function.
    pub cold: Vec<Cold>,
    /// One for each kind of request.
    pub warm: Vec<Warm>,
}

/// Measures the functions in `folder` on the engines of the `lmo` binary.
///
/// # Errors
/// A binary is missing or can't be run, or something was not answered as it should be.
pub fn measure(folder: &Path, lmo: &Path, effort: Effort) -> Result<Costs, Box<dyn Error>> {
    let binaries = Binaries::of(folder)?;
    let engines = Engines::start(lmo, ECHO)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let warm = runtime.block_on(warm::measure(&binaries, &engines, lmo, effort.requests))?;
    let tls = TlsFront::start(address(engines.url())?)?;
    let cold = runtime.block_on(cold::measure(&binaries, &engines, &tls, effort.starts))?;
    Ok(Costs { cold, warm })
}

fn address(url: &str) -> io::Result<SocketAddr> {
    url.strip_prefix("http://").and_then(|addr| addr.parse().ok()).ok_or_else(|| io::Error::other(url.to_owned()))
}

/// A request of `events/` with the demo tenant's key.
fn request(file: &str, engines: &Engines) -> crate::lambda::HttpEvent {
    crate::lambda::HttpEvent::file(file).key(engines.key())
}

/// The schedule's event.
fn sweep() -> Invoke {
    Invoke::from(&event("scheduler-sweep.json"))
}
