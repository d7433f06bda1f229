//! What it costs to know who calls, warm: an API key, an access token that came before, one that comes for the first time,
//! and to issue one. Everything but the database is the deployed code. Prints one line of JSON, in microseconds; `--quick`
//! measures less.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

#[path = "support/platform.rs"]
mod platform;

use std::{hint::black_box, time::Instant};

use lmo_local::{engine::Engines, resources};
use lmo_shared::{
    audit::{Actor, Source},
    clock::{Clock, Timestamp},
    tenant::{KeyScope, Tenant},
};
use serde_json::json;
use tempfile::TempDir;

/// How many calls a round measures together.
const REPEATS: usize = 20;

#[tokio::main]
async fn main() {
    let rounds = if std::env::args().any(|argument| argument == "--quick") { 25 } else { 501 };
    let dir = TempDir::new().expect("a folder");
    let engines = Engines::open(dir.path()).await.expect("engines");
    let start = Timestamp::parse("2035-11-22T10:00:00Z").expect("a time");
    let platform = platform::on(&engines, Clock::manual(start));
    resources::create(&platform).await.expect("a table and keys");
    let tenant = Tenant::new("bench", start);
    let key = platform.tenants().open(&tenant, &Actor::command_line()).await.expect("a key");
    let authenticator = platform.authenticator();
    let issue = || async { authenticator.tokens().key(key.id, tenant.id, KeyScope::all()).await.expect("a token") };
    let call = |text: String| {
        let authenticator = authenticator.clone();
        async move { authenticator.caller(&text, Source::default()).await.expect("a caller") }
    };
    let token = issue().await;
    call(key.text.clone()).await;
    call(token.clone()).await;
    let mut new = Vec::new();
    for _ in 0..rounds * REPEATS {
        new.push(issue().await);
    }
    let results = json!({
        "benchmark": "authenticate",
        "api_key": median(rounds, || call(key.text.clone())).await,
        "access_token": median(rounds, || call(token.clone())).await,
        "new_access_token": median(rounds, || call(new.pop().expect("enough"))).await,
        "issue": median(rounds, issue).await,
    });
    println!("{results}");
    engines.shutdown().await;
}

/// The median of the rounds, in microseconds a call.
async fn median<T, F: Future<Output = T>>(rounds: usize, mut work: impl FnMut() -> F) -> f64 {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        for _ in 0..REPEATS {
            black_box(work().await);
        }
        times.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(REPEATS).expect("few")));
    }
    times.sort_by(f64::total_cmp);
    (times[rounds / 2] * 100.0).round() / 100.0
}
