//! What is sealed in the table: by keys in Secrets Manager that change.

use futures_util::future::join_all;
use lmo_shared::{clock::Timestamp, error::Error, seal::Seal};

use crate::support::Ground;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T10:00:00Z").unwrap()
}

#[tokio::test]
async fn what_one_process_seals_another_opens() {
    let ground = Ground::at(now()).await;
    let sealed = ground.platform.seal().seal("totp usr_1", b"secret").await.unwrap();
    assert!(!sealed.contains("secret"));
    let other = ground.platform.seal();
    assert_eq!(other.open("totp usr_1", &sealed).await.unwrap(), b"secret");
    assert_eq!(other.open_if_ours("totp usr_2", &sealed).await.unwrap(), None);
    assert!(matches!(other.open("totp usr_2", &sealed).await, Err(Error::Internal(_))));
}

#[tokio::test]
async fn nothing_that_was_not_sealed_opens() {
    let ground = Ground::at(now()).await;
    let seal = ground.platform.seal();
    let sealed = seal.seal("a", b"secret").await.unwrap();
    let id = sealed.split('.').nth(1).unwrap();
    let texts =
        ["", "v1", "v1.", "v1..", "v2.a.b", "v1.nokey.AAAA", "secret", &sealed[1..], &sealed[..sealed.len() - 1]];
    for text in texts.into_iter().map(str::to_owned).chain([format!("v1.{id}."), format!("v1.{id}.AAAA")]) {
        assert_eq!(seal.open_if_ours("a", &text).await.unwrap(), None, "{text}");
    }
}

#[tokio::test]
async fn whoever_has_read_the_keys_opens_what_the_next_one_seals() {
    let ground = Ground::at(now()).await;
    let (old, rotating) = (ground.platform.seal(), ground.platform.seal());
    let before = old.seal("a", b"before").await.unwrap();
    assert!(rotating.rotate().await.unwrap());
    let after = rotating.seal("a", b"after").await.unwrap();
    assert_ne!(before.split('.').nth(1), after.split('.').nth(1));
    // It reads nothing for it: the next key was there before it sealed.
    *ground.cut.lock().unwrap() = Some("lmo/sealing-key".to_owned());
    assert_eq!(old.open("a", &after).await.unwrap(), b"after");
    assert_eq!(rotating.open("a", &before).await.unwrap(), b"before");
}

#[tokio::test]
async fn all_that_begin_at_once_begin_with_the_same_keys() {
    let ground = Ground::bare(now()).await;
    let seals: Vec<_> = (0..6).map(|_| ground.platform.seal()).collect();
    assert!(seals[0].seal("a", b"none").await.is_err());
    for made in join_all(seals.iter().map(Seal::create)).await {
        made.unwrap();
    }
    for seal in &seals {
        let sealed = seal.seal("a", b"secret").await.unwrap();
        assert_eq!(ground.platform.seal().open("a", &sealed).await.unwrap(), b"secret");
    }
}
