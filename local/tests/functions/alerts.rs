//! Tenants are told once how much of a monthly cap is spent, by the sweep.

use std::time::Duration;

use lmo_bench::receiver::Receiver;
use lmo_shared::{
    audit::{Actor, IfMatch},
    auth::Role,
    clock::{Period, Timestamp},
    id::{KeyId, RequestId, UserId},
    mail::Mailer,
    money::{NanoUsd, Tokens},
    quota::{Account, Hold, Limits},
    store::{Change, keys, keys::Bucket},
    tenant::{Member, Tenant},
    usage::{Expired, Posted, Swept},
    webhook::NewWebhook,
};
use serde_json::{Value, json};

use crate::support::Ground;

struct Scene {
    ground: Ground,
    receiver: Receiver,
    tenant: Tenant,
}

fn tokens(cap: u64) -> Limits {
    Limits { monthly_tokens: Some(cap), ..Limits::default() }
}

impl Scene {
    async fn new(limits: Limits, shards: u8) -> Self {
        let ground = Ground::at(Timestamp::parse("2026-11-25T10:00:00Z").unwrap()).await;
        let now = ground.platform.clock().now();
        let tenant = Tenant { limits, meter_shards: shards, ..Tenant::new("acme", now) };
        let actor = Actor::command_line();
        ground.platform.tenants().open(&tenant, &actor).await.unwrap();
        let receiver = Receiver::start().await.unwrap();
        let new = NewWebhook { url: receiver.url("alerts/200"), description: None, events: None };
        let mut change = Change::new(ground.platform.table());
        ground.platform.webhooks().create(&mut change, tenant.id, new, &actor, now).await.unwrap();
        change.commit().await.unwrap().or(|| panic!("it is new")).unwrap();
        let scene = Self { ground, receiver, tenant };
        scene.told().await;
        scene
    }

    /// A request that is admitted and uses this much.
    async fn spend(&self, tokens: u64, nano_usd: u64) {
        let now = self.ground.platform.clock().now();
        let (tenant, meters) = (
            self.ground.platform.tenants().find(self.tenant.id).await.unwrap().unwrap(),
            self.ground.platform.meters(),
        );
        let key = KeyId::new(now);
        let account = Account {
            tenant: tenant.id,
            limits: tenant.limits,
            shards: tenant.meter_shards,
            key,
            key_limits: Limits::default(),
        };
        let (input, output, cost) = (Tokens(tokens), Tokens::ZERO, NanoUsd(nano_usd));
        let deadline = now.after(Duration::from_mins(1));
        let hold = Hold {
            input,
            output,
            cost,
            deadline,
            key,
            model: "lmo/echo".to_owned(),
            prices: String::new(),
            byok: false,
        };
        let grant = meters.hold(&account, RequestId::new(now), hold).await.unwrap();
        meters.settle(&account, &grant, input, cost).await.unwrap();
    }

    async fn limit(&self, limits: Limits) {
        let set = |tenant: &mut Tenant| {
            tenant.limits = limits;
            Ok(())
        };
        let (actor, now) = (Actor::command_line(), self.ground.platform.clock().now());
        let tenants = self.ground.platform.tenants();
        let tenant = tenants.edit(self.tenant.id, IfMatch::Any, "tenant.limits", &actor, now, set).await.unwrap();
        self.ground.platform.meters().recap(&tenant).await.unwrap();
    }

    async fn sweep(&self) -> Swept {
        self.ground.platform.sweeper().sweep(Expired::ByDeadline).await.unwrap()
    }

    /// What the webhook was told since it was last asked about, the least first.
    async fn told(&self) -> Vec<Value> {
        let before = self.receiver.got("alerts").len();
        let now = self.ground.platform.clock().now();
        self.ground.platform.deliveries().run(now.after(Duration::from_secs(40))).await.unwrap();
        let got = self.receiver.got("alerts").split_off(before);
        let bodies = got.iter().map(|got| serde_json::from_str::<Value>(&got.body).unwrap());
        let mut told: Vec<_> =
            bodies.filter(|body| body["type"] == "quota.reached").map(|body| body["data"].clone()).collect();
        told.sort_by_key(|data| data["percent"].as_u64());
        told
    }

    async fn buys(&self, email: &str) {
        let profile = serde_json::from_value(json!({"name": "Acme", "country": "DE", "email": email})).unwrap();
        let (actor, now) = (Actor::command_line(), self.ground.platform.clock().now());
        self.ground.platform.buyers().put(self.tenant.id, IfMatch::Any, &profile, &actor, now).await.unwrap();
    }

    async fn member(&self, email: &str, role: Role) {
        // Who comes later is read later.
        self.ground.platform.clock().advance(Duration::from_secs(1));
        let now = self.ground.platform.clock().now();
        let (user, email) = (UserId::new(now), email.to_owned());
        let member = Member { user, email, name: None, role, added_at: now, version: 1 };
        self.ground.platform.table().tenant(self.tenant.id).main().put(&keys::member(user), &member).await.unwrap();
    }

    async fn post_by(&self, mailer: Mailer) -> Posted {
        let until = self.ground.platform.clock().now().after(Duration::from_mins(1));
        self.ground.platform.quota_letters(mailer).post(until).await.unwrap()
    }

    async fn post(&self) -> Posted {
        self.post_by(self.ground.mailer()).await
    }

    /// Who was written what, in order.
    fn letters(&self) -> Vec<(String, String)> {
        let field = |mail: &str, name: &str| {
            let line = mail.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name} in {mail}")).trim().to_owned()
        };
        let mails = self.ground.mails();
        let mut letters: Vec<_> = mails.iter().map(|mail| (field(mail, "To:"), field(mail, "Subject:"))).collect();
        letters.sort();
        letters
    }

    async fn percents(&self) -> Vec<u64> {
        self.sweep().await;
        self.told().await.iter().map(|data| data["percent"].as_u64().unwrap()).collect()
    }
}

#[tokio::test]
async fn half_of_a_cap_four_fifths_and_all_of_it_are_told_once() {
    let scene = Scene::new(tokens(1_000), 1).await;
    scene.spend(499, 0).await;
    assert_eq!(scene.percents().await, [0; 0]);
    scene.spend(1, 0).await;
    scene.sweep().await;
    let reached =
        json!({"period": "2026-11", "measure": "monthly_tokens", "percent": 50, "spent": 500, "limit": 1_000});
    assert_eq!(scene.told().await, [reached]);
    scene.spend(100, 0).await;
    assert_eq!(scene.percents().await, [0; 0]);
    scene.spend(400, 0).await;
    assert_eq!(scene.percents().await, [80, 100]);
    assert_eq!(scene.percents().await, [0; 0]);
}

#[tokio::test]
async fn money_is_told_beside_tokens() {
    let limits = Limits { monthly_tokens: Some(1_000), monthly_nano_usd: Some(2_000), ..Limits::default() };
    let scene = Scene::new(limits, 1).await;
    scene.spend(500, 1_600).await;
    scene.sweep().await;
    let told = scene.told().await;
    let told: Vec<_> =
        told.iter().map(|data| (data["measure"].as_str().unwrap(), data["percent"].as_u64().unwrap())).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for expected in [("monthly_tokens", 50), ("monthly_nano_usd", 50), ("monthly_nano_usd", 80)] {
        assert!(told.contains(&expected), "{told:?}");
    }
}

#[tokio::test]
async fn two_sweeps_at_once_tell_once() {
    let scene = Scene::new(tokens(1_000), 1).await;
    scene.spend(900, 0).await;
    tokio::join!(scene.sweep(), scene.sweep(), scene.sweep());
    let percents: Vec<_> = scene.told().await.iter().map(|data| data["percent"].clone()).collect();
    assert_eq!(percents, [50, 80]);
}

#[tokio::test]
async fn counting_again_and_closing_hours_tell_nothing_again() {
    let scene = Scene::new(tokens(1_000), 1).await;
    scene.spend(600, 0).await;
    assert_eq!(scene.percents().await, [50]);
    let now = scene.ground.platform.clock().now();
    scene.ground.platform.aggregator().count(scene.tenant.id, &[Bucket::at(now)].into()).await.unwrap();
    scene.ground.platform.clock().advance(Duration::from_hours(5));
    assert_eq!(scene.percents().await, [0; 0]);
    assert_eq!(scene.percents().await, [0; 0]);
}

#[tokio::test]
async fn a_higher_cap_is_told_of_where_nothing_was_told_before() {
    let scene = Scene::new(tokens(1_000), 1).await;
    scene.spend(800, 0).await;
    assert_eq!(scene.percents().await, [50, 80]);
    scene.limit(tokens(2_000)).await;
    scene.spend(900, 0).await;
    assert_eq!(scene.percents().await, [0; 0], "85 % of the new one");
    scene.spend(300, 0).await;
    assert_eq!(scene.percents().await, [100]);
}

#[tokio::test]
async fn a_new_month_is_told_anew() {
    let scene = Scene::new(tokens(1_000), 1).await;
    scene.spend(500, 0).await;
    assert_eq!(scene.percents().await, [50]);
    let now = scene.ground.platform.clock().now();
    scene.ground.platform.clock().advance(Period::month(now).end().since(now));
    scene.spend(500, 0).await;
    scene.sweep().await;
    let told = scene.told().await;
    assert_eq!((told.len(), &told[0]["period"]), (1, &json!("2026-12")));
}

#[tokio::test]
async fn a_sub_meter_that_is_nearly_used_up_is_not_the_cap() {
    let scene = Scene::new(tokens(1_000), 4).await;
    scene.spend(240, 0).await;
    assert_eq!(scene.percents().await, [0; 0]);
    scene.spend(230, 0).await;
    scene.spend(200, 0).await;
    assert_eq!(scene.percents().await, [50]);
}

#[tokio::test]
async fn who_has_no_cap_or_little_of_it_spent_costs_no_read() {
    for limits in [Limits::default(), tokens(1_000_000)] {
        let scene = Scene::new(limits, 1).await;
        scene.spend(1_000, 1_000).await;
        *scene.ground.cut.lock().unwrap() = Some(r#""sk":{"S":"TENANT"}"#.to_owned());
        let swept = scene.sweep().await;
        assert_eq!((swept.tenants, swept.failed), (1, 0));
        let read = scene.ground.platform.tenants().find(scene.tenant.id).await;
        assert!(read.is_err(), "the network is cut where the tenant is read");
    }
}

fn letter(to: &str, percent: u8) -> (String, String) {
    (to.to_owned(), format!("acme has spent {percent} % of its cap"))
}

#[tokio::test]
async fn each_part_of_a_cap_is_written_of_once() {
    let scene = Scene::new(tokens(1_000), 1).await;
    scene.buys("books@example.org").await;
    scene.spend(500, 0).await;
    tokio::join!(scene.sweep(), scene.sweep());
    assert_eq!(scene.post().await, Posted { sent: 1, ..Posted::default() });
    assert_eq!(scene.letters(), [letter("books@example.org", 50)]);
    let mail = scene.ground.mails().remove(0);
    assert!(mail.contains("500 tokens of 1000 tokens") && mail.contains("2026-12-01"), "{mail}");
    scene.sweep().await;
    assert_eq!(scene.post().await, Posted::default());
    scene.spend(500, 0).await;
    scene.sweep().await;
    tokio::join!(scene.post(), scene.post());
    let all = [letter("books@example.org", 100), letter("books@example.org", 50), letter("books@example.org", 80)];
    assert_eq!(scene.letters(), all, "a jump tells of all that it went over");
    scene.limit(tokens(1_250)).await;
    scene.spend(240, 0).await;
    scene.sweep().await;
    assert_eq!(scene.post().await, Posted::default(), "99 % of a higher cap");
}

#[tokio::test]
async fn owners_and_those_who_pay_are_written_if_nobody_else_is_named() {
    let scene = Scene::new(Limits { monthly_nano_usd: Some(20_000_000_000), ..Limits::default() }, 1).await;
    for (email, role) in [
        ("ann@example.org", Role::Owner),
        ("bob@example.org", Role::Billing),
        ("eve@example.org", Role::Admin),
        ("mallory@example.org", Role::Viewer),
    ] {
        scene.member(email, role).await;
    }
    scene.spend(1, 10_500_000_000).await;
    scene.sweep().await;
    assert_eq!(scene.post().await, Posted { sent: 2, ..Posted::default() });
    assert_eq!(scene.letters(), [letter("ann@example.org", 50), letter("bob@example.org", 50)]);
    let mail = scene.ground.mails().remove(0);
    assert!(mail.contains("10.50 USD of 20.00 USD"), "{mail}");
}

#[tokio::test]
async fn a_letter_that_could_not_be_sent_is_sent_later_and_to_nobody_twice() {
    let scene = Scene::new(tokens(1_000), 1).await;
    scene.member("ann@example.org", Role::Owner).await;
    scene.member("bob@example.org", Role::Billing).await;
    scene.spend(500, 0).await;
    scene.sweep().await;
    assert_eq!(scene.post_by(scene.ground.broken_mailer()).await, Posted { failed: 1, ..Posted::default() });
    assert_eq!(scene.post().await, Posted::default(), "it rests");
    scene.ground.platform.clock().advance(Duration::from_mins(6));
    // The network fails after the first mail.
    *scene.ground.cut.lock().unwrap() = Some("bob@example.org".to_owned());
    assert_eq!(scene.post().await, Posted { sent: 2, failed: 1, ..Posted::default() });
    *scene.ground.cut.lock().unwrap() = None;
    scene.ground.platform.clock().advance(Duration::from_mins(6));
    // What was sent and could not be noted is sent again, and nothing else.
    assert_eq!(scene.post().await, Posted { sent: 1, ..Posted::default() });
    let (ann, bob) = (letter("ann@example.org", 50), letter("bob@example.org", 50));
    assert_eq!(scene.letters(), [ann, bob.clone(), bob]);
    assert_eq!(scene.post().await, Posted::default());
}

#[tokio::test]
async fn a_letter_that_nobody_can_get_is_dropped() {
    let scene = Scene::new(tokens(1_000), 1).await;
    scene.spend(500, 0).await;
    scene.sweep().await;
    assert_eq!(scene.post().await, Posted { dropped: 1, ..Posted::default() });
    assert_eq!(scene.post().await, Posted::default());
}
