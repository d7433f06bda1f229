use std::sync::mpsc;

use futures_util::future::join_all;
use serde_json::{from_value, json};

use super::*;
use crate::mail::EmailAddress;

fn password(text: &str) -> Password {
    Password::parse(text).unwrap()
}

fn new(text: &str) -> NewPassword {
    NewPassword::new(password(text), &EmailAddress::parse("ann@example.org").unwrap(), &[]).unwrap()
}

/// What was kept when the parameters were others.
fn kept_with(memory: u32, passes: u32, text: &str) -> PasswordHash {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(memory, passes, 1, None).unwrap());
    PasswordHash(
        argon2::PasswordHasher::hash_password_with_salt(&argon2, text.as_bytes(), b"0123456789abcdef")
            .unwrap()
            .to_string(),
    )
}

#[tokio::test]
async fn a_password_is_kept_as_a_phc_string_and_found_right() {
    let passwords = Passwords::of_process();
    let kept = passwords.hash(&new("mountain tea kettle")).await.unwrap();
    assert!(kept.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.0);
    assert_eq!(passwords.verify(&password("mountain tea kettle"), Some(&kept)).await.unwrap(), Verdict::Right);
    for wrong in ["mountain tea kettl", "Mountain tea kettle", "", "mountain tea kettle "] {
        assert_eq!(passwords.verify(&password(wrong), Some(&kept)).await.unwrap(), Verdict::Wrong, "{wrong}");
    }
}

#[tokio::test]
async fn the_same_password_is_kept_differently_each_time() {
    let passwords = Passwords::of_process();
    let (one, other) =
        (passwords.hash(&new("mountain tea kettle")).await, passwords.hash(&new("mountain tea kettle")).await);
    assert_ne!(one.unwrap(), other.unwrap());
}

#[tokio::test]
async fn a_password_that_was_kept_with_other_parameters_is_to_be_kept_anew() {
    let passwords = Passwords::of_process();
    for stale in [kept_with(8 * 1024, 2, "mountain tea kettle"), kept_with(19 * 1024, 1, "mountain tea kettle")] {
        let verdict = passwords.verify(&password("mountain tea kettle"), Some(&stale)).await.unwrap();
        let Verdict::RightButStale(anew) = verdict else { panic!("{verdict:?}") };
        assert_eq!(passwords.verify(&password("mountain tea kettle"), Some(&anew)).await.unwrap(), Verdict::Right);
        assert_eq!(passwords.verify(&password("another"), Some(&stale)).await.unwrap(), Verdict::Wrong);
    }
}

#[tokio::test]
async fn nobodys_password_is_wrong() {
    assert_eq!(Passwords::of_process().verify(&password("mountain tea kettle"), None).await.unwrap(), Verdict::Wrong);
}

#[tokio::test]
async fn a_broken_hash_is_a_defect_and_no_wrong_password() {
    for broken in ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ", "$scrypt$ln=1$c2FsdHNhbHQ$c2FsdHNhbHQ"] {
        let verdict = Passwords::of_process().verify(&password("x"), Some(&PasswordHash(broken.to_owned()))).await;
        assert_eq!(verdict.unwrap_err().code(), "internal", "{broken}");
    }
}

#[tokio::test]
async fn the_same_keys_are_the_same_password_on_any_system() {
    let passwords = Passwords::of_process();
    let kept = passwords.hash(&new("Grüße aus Köln")).await.unwrap();
    // Decomposed, and with a space that macOS types with a modifier.
    let other = password("Gru\u{308}ße aus\u{a0}Ko\u{308}ln");
    assert_eq!(passwords.verify(&other, Some(&kept)).await.unwrap(), Verdict::Right);
}

#[test]
fn a_password_has_at_most_256_characters_of_any_script() {
    for c in ["a", "é", "密", "🔑"] {
        assert!(Password::parse(&c.repeat(256)).is_ok());
        let error = Password::parse(&c.repeat(257)).unwrap_err().to_string();
        assert_eq!(error, "a password has at most 256 characters");
    }
    assert!(from_value::<Password>(json!("x".repeat(1_000_000))).is_err());
}

#[test]
fn the_last_of_256_characters_counts() {
    let long = "a".repeat(255);
    assert_ne!(password(&format!("{long}b")), password(&format!("{long}c")));
}

#[test]
fn passwords_and_what_is_kept_are_not_shown() {
    let kept = PasswordHash("$argon2id$secret".to_owned());
    let shown = format!("{:?} {:?} {kept:?}", password("mountain tea kettle"), new("mountain tea kettle"));
    assert_eq!(shown, "Password(***) NewPassword(***) PasswordHash(***)");
}

#[tokio::test]
async fn whoever_finds_too_many_waiting_is_told_to_come_again() {
    let passwords = Passwords::new(1, 2);
    let (go, gate) = mpsc::channel::<()>();
    let waiting = passwords.clone();
    let first = tokio::spawn(async move { waiting.work(move |_| gate.recv()).await });
    while passwords.threads.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let more: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn({
                let waiting = passwords.clone();
                async move { waiting.work(|_| ()).await }
            })
        })
        .collect();
    while passwords.room.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(passwords.work(|_| ()).await.unwrap_err().code(), "unavailable");
    go.send(()).unwrap();
    first.await.unwrap().unwrap().unwrap();
    assert!(join_all(more).await.into_iter().all(|done| done.unwrap().is_ok()));
    assert!(passwords.work(|_| ()).await.is_ok());
}

#[tokio::test]
async fn a_client_that_leaves_keeps_its_thread_until_the_work_is_done() {
    let passwords = Passwords::new(1, 1);
    let (go, gate) = mpsc::channel::<()>();
    let leaving = passwords.clone();
    let client = tokio::spawn(async move { leaving.work(move |_| gate.recv()).await });
    while passwords.threads.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    assert_eq!(passwords.threads.available_permits(), 0);
    go.send(()).unwrap();
    assert!(passwords.work(|_| ()).await.is_ok());
}

#[tokio::test]
async fn passwords_are_hashed_in_the_same_memory_again() {
    let passwords = Passwords::new(2, 10);
    let password = new("mountain tea kettle");
    let hashed = join_all((0..6).map(|_| passwords.hash(&password))).await;
    assert!(hashed.into_iter().all(|hashed| hashed.is_ok()));
    let memory: Vec<_> = passwords.memory.lock().unwrap().iter().map(Vec::len).collect();
    assert!(memory.len() <= 2 && memory.iter().all(|blocks| *blocks == MEMORY_KIB as usize), "{memory:?}");
}
