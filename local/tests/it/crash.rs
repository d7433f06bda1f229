//! A power cut at any moment loses nothing that a client was told, and charges nothing twice.

use std::time::Duration;

use futures_util::future::join_all;
use lmo_shared::clock::Clock;
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    burst::{flood, limited_key, worst_case},
    support::{Lmo, Response, Setup, Value, chat, json, standin, streamed},
};

const TEXT: &str = "[[tokens=20]] [[chunk_delay=2ms]]";
/// Two words and three, and the answer's.
const TAKES: u64 = 25;
const KILLS: usize = 20;

/// A sequence of numbers that looks random (`SplitMix64`).
pub struct Random(pub u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// Waits for at most so long.
    pub async fn pause(&mut self, most: Duration) {
        let most = u64::try_from(most.as_micros()).unwrap();
        sleep(Duration::from_micros(self.below(most + 1))).await;
    }
}

/// What the clients know of a data directory's past.
#[derive(Default)]
struct Past {
    sent: u64,
    answered: u64,
}

/// Sends questions, each from a task of its own; it tells whether the answer came whole.
fn send(lmo: &Lmo, keys: &[&str], body: &Value, count: usize) -> Vec<JoinHandle<bool>> {
    let one = |key: &&str| {
        let request = lmo.client.post(format!("{}/v1/chat/completions", lmo.base)).bearer_auth(key);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let streams = body["stream"] == true;
        tokio::spawn(async move {
            let Ok(response) = request.send().await else { return false };
            let answer = Response::read(response).await;
            answer.status == 200 && answer.whole && (!streams || answer.body.ends_with("data: [DONE]\n\n"))
        })
    };
    keys.iter().cycle().take(count).map(one).collect()
}

impl Past {
    /// Kills the platform and waits for the clients to notice.
    async fn kill(&mut self, lmo: Lmo, clients: Vec<JoinHandle<bool>>) {
        lmo.kill();
        self.sent += clients.len() as u64;
        self.answered += join_all(clients).await.into_iter().filter(|whole| *whole.as_ref().unwrap()).count() as u64;
    }

    /// What was answered is in the books once, at its own figure; what was not is there at most once, at that figure
    /// or, if its instance died over it, at its worst case.
    async fn assert_is_in_the_books_of(&self, lmo: &Lmo, seed: u64) {
        let report = lmo.get("/api/tenant/usage?granularity=month").await.json()["total"].clone();
        let figure = |name: &str| report[name].as_u64().unwrap();
        let (requests, lost) = (figure("requests"), figure("estimated"));
        let answered = requests - lost;
        assert!(
            (self.answered..=self.sent).contains(&answered),
            "seed {seed}: {} of {}: {report:#}",
            self.answered,
            self.sent
        );
        assert!(requests <= self.sent, "seed {seed}: {} were sent: {report:#}", self.sent);
        let tokens = figure("input_tokens") + figure("output_tokens");
        assert_eq!(tokens, answered * TAKES + lost * worst_case(TEXT, 40), "seed {seed}: {report:#}");
    }
}

/// Kills a platform again and again on the same data directory, each time after `load` sent its requests and waited
/// for the moment; after each restart the past is in the books, and in the end they agree without a sweep.
async fn kill_again_and_again(mut load: impl AsyncFnMut(&Lmo, &str, &mut Random) -> Vec<JoinHandle<bool>>) {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let seed = Clock::System.now().0;
    let mut random = Random(seed);
    let mut past = Past::default();
    let lmo = setup.start();
    let limited = limited_key(&lmo, &lmo.key, &json!({"monthly_tokens": 1_000_000})).await;
    lmo.stop();
    for _ in 0..KILLS {
        let lmo = setup.start();
        past.assert_is_in_the_books_of(&lmo, seed).await;
        let clients = load(&lmo, &limited, &mut random).await;
        past.kill(lmo, clients).await;
    }
    let lmo = setup.start();
    past.assert_is_in_the_books_of(&lmo, seed).await;
    lmo.kill();
    let books = setup.output(&["books"]);
    assert!(books.status.success(), "seed {seed}: {}", String::from_utf8_lossy(&books.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_during_admission_leaves_the_books_right() {
    kill_again_and_again(async |lmo, limited, random| {
        let clients = send(lmo, &[&lmo.key, limited], &chat(TEXT, 40), 30);
        random.pause(Duration::from_millis(8)).await;
        clients
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_streams_leaves_the_books_right() {
    kill_again_and_again(async |lmo, limited, random| {
        let clients = send(lmo, &[&lmo.key, limited], &streamed(TEXT, 40), 10);
        random.pause(Duration::from_millis(80)).await;
        clients
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_the_answer_and_its_settlement_leaves_the_books_right() {
    kill_again_and_again(async |lmo, limited, random| {
        let mut clients = send(lmo, &[&lmo.key, limited], &chat(TEXT, 40), 4);
        let answered = (&mut clients[0]).await.unwrap();
        random.pause(Duration::from_millis(2)).await;
        clients[0] = tokio::spawn(async move { answered });
        clients
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_during_the_aggregation_leaves_the_books_right() {
    kill_again_and_again(async |lmo, limited, random| {
        let clients = send(lmo, &[&lmo.key, limited], &chat(TEXT, 40), 100);
        let answered = join_all(clients).await.into_iter().map(Result::unwrap);
        let clients = answered.map(|whole| tokio::spawn(async move { whole })).collect();
        random.pause(Duration::from_millis(300)).await;
        clients
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_streams_and_answers_finish_and_settles_them() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let lmo = setup.start();
    // Connections that are accepted, so that none is in the queue of the kernel when the platform stops.
    flood(&lmo, &lmo.key, &chat("[[tokens=20]] [[delay=50ms]]", 40), 20).await;
    let streams = send(&lmo, &[&lmo.key], &streamed(TEXT, 40), 10);
    let whole = send(&lmo, &[&lmo.key], &chat("[[tokens=20]] [[delay=200ms]]", 40), 10);
    sleep(Duration::from_millis(60)).await;
    lmo.stop();
    let answered = join_all(streams.into_iter().chain(whole)).await;
    assert!(answered.into_iter().all(|whole| whole.unwrap()));
    let books = setup.output(&["books"]);
    assert!(books.status.success(), "{}", String::from_utf8_lossy(&books.stdout));
}
