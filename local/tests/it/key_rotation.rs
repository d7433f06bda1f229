//! The signing keys are rotated while requests go on, over several processes that each know what they have read.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    engines::Engines,
    support::{Lmo, Setup, Value, json, key_id, part, token_of},
};

const CONFIG: &str = "/api/tenant/config";

/// Engines, and what it takes to start processes on them.
struct World {
    setup: Setup,
    engines: Engines,
    key: String,
}

impl World {
    fn new() -> Self {
        let setup = Setup::new();
        let engines = Engines::start(&setup, &[]);
        let key = engines.exported["KEY"].clone();
        Self { setup, engines, key }
    }

    fn process(&self) -> Arc<Lmo> {
        let mut command = self.setup.command();
        command.envs(&self.engines.exported);
        Arc::new(Lmo::start_with_key(command, &self.key))
    }

    fn rotate(&self, flags: &[&str]) -> Value {
        self.engines.lmo(&self.setup, &[&["keys", "rotate"], flags].concat())
    }
}

fn kid(token: &str) -> Value {
    part(token, 0)["kid"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_under_load_without_one_failed_request() {
    let world = World::new();
    let processes = [world.process(), world.process()];
    let first = token_of(&processes[0], &world.key).await;
    let minted = Arc::new(Mutex::new(vec![first.clone()]));
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..8_usize)
        .map(|caller| {
            let (processes, minted) = (processes.clone(), Arc::clone(&minted));
            let (stop, sent, key) = (Arc::clone(&stop), Arc::clone(&sent), world.key.clone());
            tokio::spawn(async move {
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let process = &processes[(caller + turn) % 2];
                    let (oldest, newest) = {
                        let minted = minted.lock().unwrap();
                        (minted[0].clone(), minted.last().unwrap().clone())
                    };
                    for token in [oldest, newest] {
                        let response = process.send("GET", CONFIG, &token, None).await;
                        assert_eq!(response.status, 200, "{}: {}", kid(&token), response.body);
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                    if turn % 10 == 0 {
                        let token = token_of(process, &key).await;
                        minted.lock().unwrap().push(token);
                    }
                }
            })
        })
        .collect();
    let wait_for_more = async |more: usize| {
        let from = sent.load(Ordering::Relaxed);
        while sent.load(Ordering::Relaxed) < from + more && callers.iter().all(|caller| !caller.is_finished()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    wait_for_more(100).await;
    let rotated = tokio::task::block_in_place(|| world.rotate(&[]));
    assert_eq!(rotated["rotation"], "done");
    wait_for_more(100).await;
    // One that has read the keys since signs with the new one, which the others know.
    let late = world.process();
    let token = token_of(&late, &world.key).await;
    assert_eq!((&kid(&token), kid(&token) == kid(&first)), (&rotated["kid"], false));
    minted.lock().unwrap().push(token);
    assert_eq!(late.send("GET", CONFIG, &first, None).await.status, 200);
    wait_for_more(200).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(sent.load(Ordering::Relaxed) >= 400);
}

#[tokio::test]
async fn a_rotation_that_would_refuse_good_tokens_wants_force() {
    let world = World::new();
    let process = world.process();
    let stolen = token_of(&process, &world.key).await;
    assert_eq!(world.rotate(&[])["rotation"], "done");
    let mut command = world.setup.command();
    let refused = command.envs(&world.engines.exported).args(["keys", "rotate"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let refused: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(refused["rotation"], "too_soon");
    assert!(refused["not_before"].as_str().unwrap().ends_with('Z'), "{refused}");
    assert_eq!(world.rotate(&["--force"])["rotation"], "done");
    // Whoever reads the keys now doesn't take what the first key signed.
    let late = world.process();
    assert_eq!(late.send("GET", CONFIG, &stolen, None).await.status, 401);
    assert_eq!(late.send("GET", CONFIG, &token_of(&late, &world.key).await, None).await.status, 200);
}

#[tokio::test]
async fn the_sealing_key_is_rotated_by_itself() {
    let world = World::new();
    let before = world.process().get("/.well-known/jwks.json").await.json();
    assert_eq!(world.rotate(&["--sealing"]), json!({"rotation": "done"}));
    assert_eq!(world.process().get("/.well-known/jwks.json").await.json(), before);
    assert!(key_id(&world.key).starts_with("key_"));
}
