//! What the ledger says of attempts that came to nothing.

use lmo_shared::{
    answer::Options,
    money::NanoUsd,
    quota::Limits,
    usage::{Entry, Ledger},
};

use super::Scene;

async fn entry_of(scene: &Scene, model: &str, fallbacks: &[&str]) -> Entry {
    let fallbacks = Some(fallbacks.iter().map(|name| (*name).to_owned()).collect());
    let answer = scene.answer(Some(model), Options { fallbacks, ..Options::default() }).await.expect("answered");
    let id = answer.id;
    answer.collect().await.expect("whole");
    Ledger::new(scene.platform.table().clone()).find(scene.tenant, id).await.expect("read").expect("recorded")
}

#[tokio::test]
async fn the_entry_of_a_request_names_the_attempts_that_failed() {
    let scene = Scene::new(Limits::default(), 1).await;
    let entry = entry_of(&scene, "nobody", &["lmo/echo"]).await;
    assert_eq!((entry.model.as_str(), entry.attempts), ("lmo/echo", 2));
    let failed: Vec<_> = entry.failed_attempts.iter().map(|one| (one.model.as_str(), one.code.as_str())).collect();
    assert_eq!(failed, [("nobody", "provider_unreachable")]);
    assert_eq!(entry.failed_attempts[0].nano_usd, NanoUsd::ZERO);
}

#[tokio::test]
async fn a_request_that_went_well_at_once_has_none() {
    let scene = Scene::new(Limits::default(), 1).await;
    let entry = entry_of(&scene, "lmo/echo", &["nobody"]).await;
    assert_eq!((entry.attempts, entry.failed_attempts.len()), (1, 0));
}
