//! A run that dies again and again: after any number of calls nothing gets through any more, and the next one begins from
//! what is in the table.

use std::future::pending;

use futures_util::future::join_all;
use lmo_shared::{
    audit::Actor,
    billing::run::{Begin, FOREVER, Others, RunState},
    clock::Clock,
    config::variable,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::scene::{Scene, october};

const TENANTS: usize = 500;
const KILLS: usize = 100;

/// `LMO_KILL_SEED` plays a run again.
#[tokio::test]
async fn after_a_hundred_kills_everybody_has_one_invoice() {
    let seed = variable("LMO_KILL_SEED").map_or_else(|| Clock::System.now().0, |seed| seed.parse().unwrap());
    eprintln!("LMO_KILL_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let scene = Scene::at("2035-11-02T00:00:00Z").await;
    scene.plant(TENANTS).await;
    let mut kills = 0;
    while kills < KILLS {
        scene.die_after(random.random_range(0..150));
        let runs = scene.runs();
        let work = async {
            let begin = Begin { parts: Some(4), again: false };
            let run = match runs.begin(october(), begin, &Actor::system()).await {
                Ok(run) => run,
                Err(_) if scene.is_dead() => return pending().await,
                Err(error) => panic!("{error:?}"),
            };
            // Sometimes two at once, who take each other for dead.
            let parts: Vec<u16> = run.parts().chain(run.parts().filter(|_| random.random_bool(0.3))).collect();
            join_all(parts.into_iter().map(|part| runs.work(october(), part, Others::AreDead, FOREVER))).await
        };
        kills += usize::from(scene.until_death(work).await.is_none());
        scene.live();
        if scene.runs().find(october()).await.unwrap().is_some_and(|run| run.finished_at.is_some()) {
            // It is far from what it costs to finish once; from now on it is gone through again.
            scene.runs().begin(october(), Begin { parts: None, again: true }, &Actor::system()).await.unwrap();
        }
    }
    scene.finish().await;
    scene.assert_everybody_has_one_invoice().await;
    let progress = scene.progress().await;
    assert_eq!((progress.status, progress.counts.finalised), (RunState::Finished, TENANTS as u64), "{progress:#?}");
}
