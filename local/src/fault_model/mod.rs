//! A model of what can go wrong with the aggregation, around the real code.
//!
//! A run has instances that answer requests, instances that count, and sweeps, all with the platform's own code over the
//! embedded database, and a model of the stream. A seeded scheduler gives one call at a time its turn. It lets calls
//! fail before or after they took effect, kills instances between any two calls, delivers records twice, late, in any
//! order and all again, loses and doubles them, reshards, slips in poison, and moves the clock. Whatever it does, in the
//! end all totals have to equal a plain sum over the ledger, and no total may ever have gone back.
//!
//! `LMO_FAULT_RUNS` says how many runs are played, `LMO_FAULT_SEED` plays one again and
//! prints its calls.

mod adding;
mod process;
mod requests;
mod stream;
mod truth;
mod turns;
mod watch;
mod wire;
mod world;
mod wrong;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use lmo_shared::{
    clock::{Clock, Period, Timestamp},
    config::{Config, Flush, Reach, variable},
    platform::Platform,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use self::{stream::Stream, turns::Turns, wire::Cables, world::World, wrong::Wrong};
use crate::{engine::Engines, resources};

const TABLE: &str = "lmo";
/// Enough for every day. What is rare takes thousands, in a release build.
const RUNS: u64 = 300;
/// In so many runs each wrong aggregation has to be found.
const RUNS_TO_FIND: u64 = 400;

/// The month that a run begins in: each has one of its own, so that no sweep meets another run's tenants. They lie in the
/// future, where the database doesn't expire anything.
fn month(seed: u64) -> Period {
    const FIRST: u64 = 2_051_222_400_000;
    const APART: Duration = Duration::from_hours(124 * 24);
    Period::month(Timestamp(FIRST).after(APART * u32::try_from(seed % 20_000).unwrap_or_default()))
}

/// A database that all runs share.
struct Ground {
    engines: Engines,
    runtime: Runtime,
    _dir: TempDir,
}

impl Ground {
    /// In memory if the machine has a file system there.
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let engines = runtime.block_on(async {
            let engines = Engines::open(dir.path()).await.unwrap();
            let sdk = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("us-east-1"))
                .endpoint_url("http://embedded.invalid")
                .credentials_provider(SharedCredentialsProvider::new(Credentials::new("-", "-", None, None, "-")))
                .http_client(engines.http_client())
                .build();
            let config = Config {
                table: TABLE.to_owned(),
                stream: "usage".to_owned(),
                request_deadline: Duration::from_mins(5),
                issuer: "https://lmo.example".to_owned(),
                secrets: "lmo".to_owned(),
                origin_token: None,
                flush: Flush::Behind,
                reach: Reach::Laptop,
                function: None,
            };
            resources::create(&Platform::new(sdk, config, Clock::System)).await.unwrap();
            engines
        });
        Self { engines, runtime, _dir: dir }
    }

    /// Plays the runs of `seeds` on two threads; returns what was played and what went wrong, with the seed.
    fn play(&self, seeds: std::ops::Range<u64>, wrong: Option<Wrong>, stop_at_first: bool) -> Played {
        let next = AtomicU64::new(seeds.start);
        let played = Mutex::new(Played::default());
        let thread = || {
            let engine = self.engines.http_client();
            loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= seeds.end || (stop_at_first && !played.lock().unwrap().failures.is_empty()) {
                    return;
                }
                let ended = catch_unwind(AssertUnwindSafe(|| play(&engine, seed, wrong)));
                let mut played = played.lock().unwrap();
                played.runs += 1;
                match ended {
                    Ok(Ok((entries, steps))) => {
                        played.entries += entries;
                        played.steps += steps;
                    }
                    Ok(Err(problem)) => played.failures.push((seed, problem)),
                    Err(_) => played.failures.push((seed, "a panic, see above".to_owned())),
                }
            }
        };
        std::thread::scope(|threads| {
            threads.spawn(thread);
            threads.spawn(thread);
        });
        played.into_inner().unwrap()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.runtime.block_on(self.engines.shutdown());
    }
}

#[derive(Debug, Default)]
struct Played {
    runs: u64,
    entries: u64,
    steps: u64,
    failures: Vec<(u64, String)>,
}

fn play(engine: &SharedHttpClient, seed: u64, wrong: Option<Wrong>) -> Result<(u64, u64), String> {
    let cables = Arc::new(Cables {
        engine: engine.clone(),
        turns: Turns::default(),
        stream: Mutex::new(Stream::new(3)),
        watch: Mutex::default(),
        wrong,
        trace: variable("LMO_FAULT_SEED").is_some(),
    });
    let parked = Arc::clone(&cables);
    let runtime = Builder::new_current_thread().on_thread_park(move || parked.turns.nothing_to_do()).build();
    runtime.map_err(|error| error.to_string())?.block_on(async { World::new(seed, cables).play().await })
}

fn number(name: &str) -> Option<u64> {
    variable(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

#[test]
fn totals_equal_the_ledger_whatever_fails() {
    let seeds = number("LMO_FAULT_SEED").map_or(0..number("LMO_FAULT_RUNS").unwrap_or(RUNS), |seed| seed..seed + 1);
    let played = Ground::new().play(seeds, None, false);
    assert!(played.failures.is_empty(), "LMO_FAULT_SEED: {:#?}", played.failures);
    assert!(played.entries > played.runs, "{played:?}");
    eprintln!("{} runs, {} entries, {} steps", played.runs, played.entries, played.steps);
}

#[test]
fn each_wrong_aggregation_is_found() {
    let ground = Ground::new();
    for (wrong, first) in Wrong::ALL.into_iter().zip((1..).map(|number| number * 3000)) {
        let played = ground.play(first..first + RUNS_TO_FIND, Some(wrong), true);
        assert!(!played.failures.is_empty(), "{wrong:?} was not found in {} runs", played.runs);
    }
}
