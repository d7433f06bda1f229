//! The deployment's signing keys: made once, rotated without a token being refused, whoever knows of it when.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use lmo_shared::{
    auth::{ACCESS_TOKEN_LIFE, Purpose, Rotation, Tokens},
    clock::Timestamp,
    error::Error,
    id::{KeyId, SignInId, TenantId, UserId},
    tenant::KeyScope,
};

use crate::support::Ground;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T10:00:00Z").unwrap()
}

async fn mint(tokens: &Tokens) -> String {
    tokens.key(KeyId::new(now()), TenantId::new(now()), BTreeSet::from([KeyScope::Query])).await.unwrap()
}

async fn kids(ground: &Ground) -> Vec<String> {
    let public = ground.platform.ring().public().await.unwrap();
    public.keys.into_iter().map(|key| key.kid).collect()
}

#[tokio::test]
async fn no_token_is_refused_while_keys_rotate_as_often_as_they_may() {
    let ground = Ground::at(now()).await;
    let (clock, rotating) = (ground.platform.clock().clone(), ground.platform.ring());
    // Processes that have read the keys at different times.
    let processes: Vec<_> = (0..4).map(|_| ground.platform.tokens()).collect();
    let (mut minted, mut rotations) = (Vec::new(), 0);
    for minute in 0..180_u64 {
        for (index, process) in processes.iter().enumerate() {
            if minute >= 2 * index as u64 {
                minted.push((clock.now(), mint(process).await));
            }
        }
        rotations += u64::from(matches!(rotating.rotate(false).await.unwrap(), Rotation::Done { .. }));
        minted.retain(|(at, _)| clock.now() < at.after(ACCESS_TOKEN_LIFE));
        for (_, token) in &minted {
            for (index, process) in processes.iter().enumerate() {
                let verified = process.verify(token).await;
                assert!(verified.is_ok(), "minute {minute}, process {index}: {verified:?}");
            }
        }
        clock.advance(Duration::from_mins(1));
    }
    assert_eq!(rotations, 6, "at once, and every half an hour");
}

#[tokio::test]
async fn keys_are_used_on_while_secrets_manager_is_away_and_not_for_ever() {
    let ground = Ground::at(now()).await;
    let (clock, tokens) = (ground.platform.clock().clone(), ground.platform.tokens());
    mint(&tokens).await;
    *ground.cut.lock().unwrap() = Some("lmo/signing-keys".to_owned());
    clock.advance(Duration::from_mins(14));
    let token = mint(&tokens).await;
    assert!(tokens.verify(&token).await.is_ok());
    clock.advance(Duration::from_mins(2));
    assert!(matches!(tokens.verify(&token).await, Err(Error::Unavailable(_))));
    *ground.cut.lock().unwrap() = None;
    assert!(tokens.verify(&token).await.is_ok());
}

#[tokio::test]
async fn who_cannot_read_the_keys_calls_no_token_wrong() {
    let ground = Ground::at(now()).await;
    let token = mint(&ground.platform.tokens()).await;
    let begun = ground.platform.tokens();
    *ground.cut.lock().unwrap() = Some("lmo/signing-keys".to_owned());
    for _ in 0..3 {
        assert!(matches!(begun.verify(&token).await, Err(Error::Unavailable(_))));
    }
    *ground.cut.lock().unwrap() = None;
    assert!(begun.verify(&token).await.is_ok());
}

#[tokio::test]
async fn who_cannot_read_the_keys_again_calls_no_unknown_one_wrong() {
    let ground = Ground::at(now()).await;
    let (clock, old) = (ground.platform.clock().clone(), ground.platform.tokens());
    mint(&old).await;
    clock.advance(Duration::from_secs(11));
    for _ in 0..2 {
        ground.platform.ring().rotate(true).await.unwrap();
    }
    let token = mint(&ground.platform.tokens()).await;
    *ground.cut.lock().unwrap() = Some("lmo/signing-keys".to_owned());
    for _ in 0..2 {
        assert!(matches!(old.verify(&token).await, Err(Error::Unavailable(_))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_rotations_at_once_one_takes_place_and_no_key_is_lost() {
    for _ in 0..5 {
        let ground = Ground::at(now()).await;
        let before = kids(&ground).await;
        let rotate = || {
            let ring = ground.platform.ring();
            tokio::spawn(async move { ring.rotate(false).await.unwrap() })
        };
        let rotated = join_all((0..8).map(|_| rotate())).await;
        let done = rotated.iter().filter(|rotation| matches!(rotation, Ok(Rotation::Done { .. }))).count();
        let after = kids(&ground).await;
        assert_eq!((done, &after[0], &after[2]), (1, &before[1], &before[0]), "{rotated:?}");
    }
}

#[tokio::test]
async fn all_that_begin_at_once_begin_with_the_same_keys() {
    let ground = Ground::bare(now()).await;
    let processes: Vec<_> = (0..6).map(|_| ground.platform.tokens()).collect();
    assert!(matches!(processes[0].verify("a.b.c").await, Err(Error::InvalidToken(_))));
    for made in join_all(processes.iter().map(|tokens| tokens.ring().create())).await {
        made.unwrap();
    }
    let minted = join_all(processes.iter().map(mint)).await;
    let verifying = ground.platform.tokens();
    for token in &minted {
        assert!(verifying.verify(token).await.is_ok());
    }
}

#[tokio::test]
async fn an_empty_secret_is_filled_by_the_first_rotation() {
    let ground = Ground::bare(now()).await;
    ground.platform.secrets().create_secret().name("lmo/signing-keys").send().await.unwrap();
    assert!(matches!(ground.platform.ring().rotate(false).await.unwrap(), Rotation::Done { .. }));
    assert_eq!(kids(&ground).await.len(), 2);
    assert!(matches!(ground.platform.ring().rotate(false).await.unwrap(), Rotation::Done { .. }));
    assert!(matches!(ground.platform.ring().rotate(false).await.unwrap(), Rotation::TooSoon { .. }));
}

#[tokio::test]
async fn a_schedule_rotates_keys_that_are_a_month_old() {
    let ground = Ground::at(now()).await;
    let (clock, ring) = (ground.platform.clock().clone(), ground.platform.ring());
    let run = async || lmo_auth::Task::RotateKeys.perform(&ring).await.unwrap();
    clock.advance(Duration::from_hours(24 * 30 - 1));
    assert_eq!(run().await, None);
    clock.advance(Duration::from_hours(1));
    assert!(matches!(run().await, Some(Rotation::Done { .. })));
    assert_eq!(run().await, None);
}

#[tokio::test]
async fn a_secret_that_an_operator_rolled_back_can_be_rotated() {
    let ground = Ground::at(now()).await;
    let (ring, secrets) = (ground.platform.ring(), ground.platform.secrets());
    ring.rotate(false).await.unwrap();
    let versions = async |stage: &str| {
        let found = secrets.get_secret_value().secret_id("lmo/signing-keys").version_stage(stage).send().await.unwrap();
        found.version_id().unwrap().to_owned()
    };
    let (current, previous) = (versions("AWSCURRENT").await, versions("AWSPREVIOUS").await);
    let back = secrets.update_secret_version_stage().secret_id("lmo/signing-keys").version_stage("AWSCURRENT");
    back.remove_from_version_id(current).move_to_version_id(previous).send().await.unwrap();
    assert!(matches!(ring.rotate(false).await.unwrap(), Rotation::Done { .. }));
}

#[tokio::test]
async fn a_forced_rotation_is_known_at_once_where_its_tokens_come() {
    let ground = Ground::at(now()).await;
    let (clock, old) = (ground.platform.clock().clone(), ground.platform.tokens());
    let stolen = mint(&old).await;
    assert!(old.verify(&stolen).await.is_ok());
    clock.advance(Duration::from_secs(11));
    for _ in 0..2 {
        ground.platform.ring().rotate(true).await.unwrap();
    }
    let token = mint(&ground.platform.tokens()).await;
    let third = {
        ground.platform.ring().rotate(true).await.unwrap();
        mint(&ground.platform.tokens()).await
    };
    assert!(old.verify(&third).await.is_ok(), "a key that it didn't know is read");
    // What it has verified before counts no more, as its key is gone.
    assert!(matches!(old.verify(&stolen).await, Err(Error::InvalidToken(_))));
    assert!(old.verify(&token).await.is_ok());
}

#[tokio::test]
async fn unknown_keys_make_nobody_read_the_secret_all_the_time() {
    let ground = Ground::at(now()).await;
    let (tokens, foreign) = (ground.platform.tokens(), Ground::at(now()).await);
    let token = mint(&foreign.platform.tokens()).await;
    assert!(matches!(tokens.verify(&token).await, Err(Error::InvalidToken(_))));
    // Asking again would fail.
    *ground.cut.lock().unwrap() = Some("lmo/signing-keys".to_owned());
    for _ in 0..20 {
        assert!(matches!(tokens.verify(&token).await, Err(Error::InvalidToken(_))));
    }
}

#[tokio::test]
async fn a_token_is_good_for_ten_minutes() {
    let ground = Ground::at(now()).await;
    let (clock, tokens) = (ground.platform.clock().clone(), ground.platform.tokens());
    let token = mint(&tokens).await;
    clock.advance(Duration::from_mins(10));
    assert!(tokens.verify(&token).await.is_ok(), "clocks may be apart");
    clock.advance(Duration::from_secs(6));
    assert!(matches!(tokens.verify(&token).await, Err(Error::InvalidToken(_))));
}

#[tokio::test]
async fn a_link_is_good_for_its_purpose_and_its_time() {
    let ground = Ground::at(now()).await;
    let (clock, links) = (ground.platform.clock().clone(), ground.platform.links());
    let user = UserId::new(now());
    let link = links.make(Purpose::ResetPassword, user, 7).await.unwrap();
    let (page, token) = link.split_once("#token=").unwrap();
    assert_eq!(page, "https://lmo.example/reset-password");
    assert_eq!(links.open::<UserId>(Purpose::ResetPassword, token).await.unwrap(), (user, 7));
    for refused in [
        links.open::<UserId>(Purpose::VerifyEmail, token).await.map(drop),
        links.open::<KeyId>(Purpose::ResetPassword, token).await.map(drop),
        links.open::<UserId>(Purpose::ResetPassword, &token[1..]).await.map(drop),
        links.open::<UserId>(Purpose::ResetPassword, "").await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    }
    // It is no access token, and no access token is a link.
    let tokens = ground.platform.tokens();
    assert!(matches!(tokens.verify(token).await, Err(Error::InvalidToken(_))));
    let access = tokens.person(user, None, SignInId::new(now()), None).await.unwrap();
    assert!(links.open::<UserId>(Purpose::ResetPassword, &access).await.is_err());
    clock.advance(Duration::from_mins(61));
    assert!(links.open::<UserId>(Purpose::ResetPassword, token).await.is_err());
}
