//! A platform with a provider's stand-in behind it, for the tests that need nothing special.

use std::time::{Duration, Instant};

use lmo_bench::standin::Standin;

use super::{Lmo, Setup, Value, models, standin};

/// A platform, its place and its provider. They end in this order.
pub struct Running {
    pub lmo: Lmo,
    pub setup: Setup,
    pub standin: Standin,
}

impl Running {
    /// The platform on the tests' catalogue.
    pub fn start() -> Self {
        Self::with_models(|catalogue| catalogue)
    }

    /// The platform on the tests' catalogue after `change`.
    pub fn with_models(change: impl FnOnce(String) -> String) -> Self {
        Self::with(change, |setup| setup)
    }

    /// The platform on a changed catalogue and a changed setup.
    pub fn with(change: impl FnOnce(String) -> String, prepare: impl FnOnce(Setup) -> Setup) -> Self {
        let standin = standin();
        let setup = prepare(Setup::with_standin(&standin.base_url()));
        setup.write_models(&change(models(&standin.base_url(), "0.15")));
        Self { lmo: setup.start(), setup, standin }
    }

    /// Stops, creates another tenant and starts again; returns the tenant's id and key. The demo tenant keeps its own.
    pub fn with_another_tenant(&mut self) -> (String, String) {
        self.lmo.signal("TERM");
        self.lmo.wait();
        let tenant = self.setup.tenant(&[]);
        let key = std::mem::take(&mut self.lmo.key);
        self.lmo = self.setup.start();
        self.lmo.key = key;
        tenant
    }

    /// The body of the latest request that the provider got.
    pub fn upstream_body(&self) -> Value {
        self.standin.stats().recent.last().unwrap().body.clone()
    }
}

/// Waits until `done` is true; fails after `patience`.
pub async fn eventually(patience: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < patience, "{what} did not happen within {patience:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
