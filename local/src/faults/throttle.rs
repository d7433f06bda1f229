//! Attempts to sign in, one after the other, at the same time, from several places, and with answers that get lost.

use std::{net::IpAddr, time::Duration};

use futures_util::future::join_all;
use lmo_shared::{
    auth::{Attempt, Mails, Throttle},
    clock::Timestamp,
    error::{Error, Result},
    id::TenantId,
    mail::EmailAddress,
    quota::Limits,
};

use super::{Scene, network::Fate};

const HOME: &str = "2001:db8:1:1::7";
const ELSEWHERE: &str = "203.0.113.9";

struct Door {
    scene: Scene,
    throttle: Throttle,
}

impl Door {
    async fn new() -> Self {
        let scene = Scene::new(Limits::default(), 1).await;
        let throttle = scene.platform.throttle();
        Self { scene, throttle }
    }

    async fn attempt(&self, who: &str, from: &str) -> Result<Attempt> {
        self.throttle.attempt(&address(who), Some(from.parse().expect("an address"))).await
    }

    /// How many of so many attempts, one after the other, are let in.
    async fn admitted(&self, who: &str, from: &str, attempts: usize) -> usize {
        let mut admitted = 0;
        for _ in 0..attempts {
            admitted += usize::from(self.attempt(who, from).await.is_ok());
        }
        admitted
    }

    fn wait(&self, time: Duration) {
        self.scene.platform.clock().advance(time);
    }
}

fn address(who: &str) -> EmailAddress {
    EmailAddress::parse(who).expect("an address")
}

fn retry_after(attempt: Result<Attempt>) -> Duration {
    match attempt {
        Err(Error::TooManyAttempts { retry_after }) => retry_after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn after_five_failures_each_further_one_doubles_the_wait() {
    let door = Door::new().await;
    assert_eq!(door.admitted("ann@example.org", ELSEWHERE, 7).await, 5);
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        assert_eq!(retry_after(door.attempt("ann@example.org", ELSEWHERE).await), Duration::from_secs(wait));
        door.wait(Duration::from_secs(wait));
        assert!(door.attempt("ann@example.org", ELSEWHERE).await.is_ok(), "{wait}");
    }
}

#[tokio::test]
async fn attempts_at_the_same_time_cannot_slip_through() {
    let door = Door::new().await;
    let places: Vec<_> = (0..100).map(|place| format!("198.51.100.{place}")).collect();
    let attempts = join_all(places.iter().map(|place| door.attempt("ann@example.org", place))).await;
    assert_eq!(attempts.iter().filter(|attempt| attempt.is_ok()).count(), 5);
    for refused in attempts.into_iter().filter(Result::is_err) {
        assert_eq!(retry_after(refused), Duration::from_secs(1));
    }
}

#[tokio::test]
async fn an_address_that_tries_many_accounts_is_slowed_down() {
    let door = Door::new().await;
    let accounts: Vec<_> = (0..60).map(|account| format!("user{account}@example.org")).collect();
    let attempts = join_all(accounts.iter().map(|account| door.attempt(account, ELSEWHERE))).await;
    assert_eq!(attempts.iter().filter(|attempt| attempt.is_ok()).count(), 30);
    assert_eq!(door.admitted("a@example.org", ELSEWHERE, 1).await, 0);
    assert_eq!(door.admitted("a@example.org", HOME, 1).await, 1);
}

#[tokio::test]
async fn an_address_that_is_refused_does_not_count_for_the_account() {
    let door = Door::new().await;
    for account in 0..30 {
        assert_eq!(door.admitted(&format!("user{account}@example.org"), ELSEWHERE, 1).await, 1);
    }
    assert_eq!(door.admitted("ann@example.org", ELSEWHERE, 20).await, 0);
    assert_eq!(door.admitted("ann@example.org", HOME, 10).await, 5);
}

#[tokio::test]
async fn whoever_succeeds_starts_anew_and_costs_the_address_nothing() {
    let door = Door::new().await;
    for _ in 0..50 {
        for _ in 0..2 {
            door.attempt("ann@example.org", ELSEWHERE).await.expect("admitted").succeeded().await.expect("told");
        }
    }
    assert_eq!(door.admitted("ann@example.org", ELSEWHERE, 10).await, 5);
    assert_eq!(door.admitted("bob@example.org", ELSEWHERE, 10).await, 5);
}

#[tokio::test]
async fn a_stranger_who_never_stops_does_not_lock_the_owner_out_where_the_owner_was_before() {
    let door = Door::new().await;
    door.attempt("ann@example.org", HOME).await.expect("admitted").succeeded().await.expect("told");
    for round in 0..40 {
        while door.attempt("ann@example.org", ELSEWHERE).await.is_ok() {}
        let owner = door.attempt("ann@example.org", "2001:db8:1:1::8").await;
        owner.unwrap_or_else(|error| panic!("{round}: {error}")).succeeded().await.expect("told");
        door.wait(Duration::from_hours(1));
    }
}

#[tokio::test]
async fn an_owners_success_at_home_gives_strangers_no_new_attempts() {
    let door = Door::new().await;
    door.attempt("ann@example.org", HOME).await.expect("admitted").succeeded().await.expect("told");
    assert_eq!(door.admitted("ann@example.org", ELSEWHERE, 10).await, 5);
    door.attempt("ann@example.org", HOME).await.expect("admitted").succeeded().await.expect("told");
    assert_eq!(door.admitted("ann@example.org", ELSEWHERE, 10).await, 0);
}

#[tokio::test]
async fn a_known_address_is_throttled_by_itself() {
    let door = Door::new().await;
    door.throttle.trust(&address("ann@example.org"), Some(HOME.parse().expect("an address"))).await.expect("told");
    assert_eq!(door.admitted("ann@example.org", HOME, 10).await, 5);
    assert_eq!(door.admitted("ann@example.org", ELSEWHERE, 10).await, 5);
}

#[tokio::test]
async fn an_address_is_known_for_ninety_days() {
    let door = Door::new().await;
    let from: Option<IpAddr> = Some(HOME.parse().expect("an address"));
    door.throttle.trust(&address("ann@example.org"), from).await.expect("told");
    door.wait(Duration::from_hours(90 * 24));
    while door.attempt("ann@example.org", ELSEWHERE).await.is_ok() {}
    assert_eq!(door.admitted("ann@example.org", HOME, 1).await, 0);
}

#[tokio::test]
async fn an_attempt_whose_answer_is_lost_counts_once() {
    let door = Door::new().await;
    let lose = |call: &str, before| if call == "PutItem" && before < 2 { Fate::Unanswered } else { Fate::Passes };
    door.scene.network.fares(lose);
    assert_eq!(door.admitted("ann@example.org", ELSEWHERE, 1).await, 1);
    door.scene.network.fares(|_, _| Fate::Passes);
    assert_eq!(door.admitted("ann@example.org", ELSEWHERE, 10).await, 4);
}

#[tokio::test]
async fn loopback_is_counted_per_account_alone() {
    let door = Door::new().await;
    for account in 0..50 {
        assert_eq!(door.admitted(&format!("user{account}@example.org"), "127.0.0.1", 1).await, 1);
    }
    assert_eq!(door.admitted("ann@example.org", "127.0.0.1", 10).await, 5);
}

#[tokio::test]
async fn nobody_can_have_somebody_flooded_with_mail() {
    let door = Door::new().await;
    let mut sent = 0;
    for minute in 0..24 * 60 {
        let from = format!("198.51.{}.{}", minute / 256, minute % 256).parse().expect("an address");
        sent += usize::from(door.throttle.mail(&address("ann@example.org"), Mails::Reset, Some(from)).await.is_ok());
        door.wait(Duration::from_mins(1));
    }
    assert!((20..=40).contains(&sent), "{sent}");
}

#[tokio::test]
async fn who_asks_for_mails_of_one_kind_keeps_no_others_from_coming() {
    let door = Door::new().await;
    let tenants = [1, 2].map(|at| TenantId::new(Timestamp(at)));
    let all = [Mails::SignUp, Mails::Verify, Mails::Invite(tenants[0]), Mails::Invite(tenants[1])];
    let mail = async |mails| door.throttle.mail(&address("ann@example.org"), mails, None).await.is_ok();
    while mail(Mails::Reset).await {}
    for mails in all {
        assert!(mail(mails).await, "{mails:?}");
    }
}
