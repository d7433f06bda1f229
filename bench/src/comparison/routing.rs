//! What the cache saves and what a fallback costs: one connection, in turns with ordinary requests. The stand-in runs in
//! this process, so that it can be asked how often it was called.

use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use super::turns::{authorized, succeeded};
use super::{CompareError, Effort};
use crate::children::{DOWN, DOWN_UPSTREAM, Gateway, SMALL};
use crate::load::{LoadOptions, Mode, Report, Until};
use crate::standin::Standin;

/// All rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Routing {
    /// In their order; the first has the question that the cache knows in all of them.
    pub rounds: Vec<Round>,
}

/// Each kind of request in its turn.
#[derive(Debug, Clone, Serialize)]
pub struct Round {
    /// No two alike, so that the provider is asked each time.
    pub ordinary: Asked,
    /// One question over and over, answered from the cache.
    pub hit: Asked,
    /// The call that fails, sent to the provider directly.
    pub failing: Asked,
    /// No two alike, and for each the call that fails, then that of the fallback.
    pub fallback: Asked,
}

/// Requests of one kind.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// Their times, but for those that were sent to warm up.
    pub report: Report,
    /// How many were sent, warm-up included.
    pub requests: u64,
    /// How many reached the provider.
    pub provider_calls: u64,
}

impl Routing {
    /// The median over the rounds.
    #[must_use]
    pub fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        let mut figures: Vec<_> = self.rounds.iter().map(of).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or_default()
    }
}

impl Round {
    /// Microseconds, at the median, that a request takes longer because of a fallback, beside the failing call's own.
    #[must_use]
    pub fn added(&self) -> f64 {
        let p50 = |asked: &Asked| asked.report.latency.p50;
        p50(&self.fallback) - p50(&self.ordinary) - p50(&self.failing)
    }
}

/// Measures `gateway`, whose provider is `standin`, and which nobody else calls.
///
/// # Errors
/// A process is gone, or one of the measurements had no success at all.
pub async fn route(standin: &Standin, gateway: &Gateway, effort: Effort) -> Result<Routing, CompareError> {
    let ordinary = LoadOptions {
        url: format!("{}/v1/chat/completions", gateway.base_url()),
        headers: authorized(gateway)?,
        body: body(SMALL, "@n@", ""),
        connections: 1,
        until: Until::Requests(effort.routed),
        mode: Mode::Buffered,
        status: StatusCode::OK,
    };
    let hit = LoadOptions { body: body(SMALL, "", r#","temperature":0"#), ..ordinary.clone() };
    let mut fallback = LoadOptions { body: body(DOWN, "@n@", ""), ..ordinary.clone() };
    fallback.headers.insert("x-lmo-fallbacks", HeaderValue::from_static(SMALL));
    let failing = LoadOptions {
        url: format!("{}/chat/completions", standin.base_url()),
        headers: HeaderMap::new(),
        body: body(DOWN_UPSTREAM, "@n@", ""),
        status: StatusCode::INTERNAL_SERVER_ERROR,
        ..ordinary.clone()
    };
    let mut rounds = Vec::with_capacity(effort.rounds);
    for _ in 0..effort.rounds {
        rounds.push(Round {
            ordinary: ask(standin, &ordinary, effort).await?,
            hit: ask(standin, &hit, effort).await?,
            failing: ask(standin, &failing, effort).await?,
            fallback: ask(standin, &fallback, effort).await?,
        });
    }
    Ok(Routing { rounds })
}

async fn ask(standin: &Standin, options: &LoadOptions, effort: Effort) -> Result<Asked, CompareError> {
    let warmup = effort.routed / 10;
    let before = standin.stats().requests;
    succeeded(&LoadOptions { until: Until::Requests(warmup), ..options.clone() }).await?;
    let report = succeeded(options).await?;
    let provider_calls = standin.stats().requests - before;
    Ok(Asked { report, requests: warmup + effort.routed, provider_calls })
}

fn body(model: &str, number: &str, more: &str) -> String {
    format!(
        r#"{{"model":"{model}"{more},"max_tokens":64,"messages":[{{"role":"user","content":"{number} Name a colour."}}]}}"#
    )
}
