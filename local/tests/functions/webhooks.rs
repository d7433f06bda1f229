//! The task `deliver`, on a clock that stands still: who is told what, how often, and until when.

use std::{sync::Arc, time::Duration};

use lmo_bench::receiver::Receiver;
use lmo_shared::{
    audit::{Actor, Audit, IfMatch},
    clock::{Clock, Timestamp},
    id::TenantId,
    store::{Change, Order},
    tenant::Tenant,
    webhook::{Delivery, DeliveryStatus, Disabled, Event, EventType, NewWebhook, Ran, Webhook, Webhooks, announce},
};
use serde_json::Value;

use crate::support::Ground;

struct Scene {
    ground: Ground,
    receiver: Receiver,
    webhooks: Webhooks,
    tenant: TenantId,
}

impl Scene {
    async fn new() -> Self {
        let ground = Ground::at(Timestamp::parse("2026-11-25T10:00:00Z").unwrap()).await;
        let tenant = Tenant::new("acme", ground.platform.clock().now());
        ground.platform.tenants().open(&tenant, &Actor::command_line()).await.unwrap();
        let webhooks = ground.platform.webhooks();
        let scene = Self { ground, receiver: Receiver::start().await.unwrap(), webhooks, tenant: tenant.id };
        // Of the first key, which nobody is told of.
        assert_eq!(scene.run().await, Ran { events: 1, ..Ran::default() });
        scene
    }

    fn clock(&self) -> &Clock {
        self.ground.platform.clock()
    }

    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    async fn webhook(&self, path: &str) -> Webhook {
        self.webhook_for(path, None).await
    }

    async fn webhook_for(&self, path: &str, events: Option<&[EventType]>) -> Webhook {
        let events = events.map(|events| events.iter().copied().collect());
        let new = NewWebhook { url: self.receiver.url(path), description: None, events };
        let mut change = Change::new(self.ground.platform.table());
        let actor = Actor::command_line();
        let made = self.webhooks.create(&mut change, self.tenant, new, &actor, self.now()).await.unwrap();
        change.commit().await.unwrap().or(|| panic!("it is new")).unwrap();
        made.0
    }

    /// Something happens that webhooks are told.
    async fn happen(&self) {
        let mut change = Change::new(self.ground.platform.table());
        let event = Event::WebhookTest(lmo_shared::id::WebhookId::new(self.now()));
        announce(&mut change, self.tenant, self.now(), &event).unwrap();
        change.commit().await.unwrap().or(|| panic!("it is new")).unwrap();
    }

    async fn run(&self) -> Ran {
        self.ground.platform.deliveries().run(self.now().after(Duration::from_secs(40))).await.unwrap()
    }

    /// Runs at each time at which the next attempt is due, until there is none.
    async fn run_to_the_end(&self, webhook: &Webhook) {
        while let Some(due) = self.latest(webhook).await.due {
            self.clock().advance(due.since(self.now()));
            self.run().await;
        }
    }

    async fn deliveries(&self, webhook: &Webhook) -> Vec<Delivery> {
        self.webhooks.deliveries(self.tenant, webhook.id, None, 100).await.unwrap().0
    }

    async fn latest(&self, webhook: &Webhook) -> Delivery {
        self.deliveries(webhook).await.swap_remove(0)
    }

    async fn again(&self, webhook: &Webhook) -> Webhook {
        self.webhooks.get(self.tenant, webhook.id).await.unwrap()
    }

    /// The actions in the audit log, the latest first.
    async fn actions(&self) -> Vec<String> {
        let audit = Audit::new(self.ground.platform.table().clone());
        let (entries, _) = audit.page(self.tenant, None, 100, Order::Descending).await.unwrap();
        entries.into_iter().map(|entry| entry.action).collect()
    }
}

fn statuses(delivery: &Delivery) -> Vec<Option<u16>> {
    delivery.attempts.iter().map(|attempt| attempt.status).collect()
}

#[tokio::test]
async fn each_webhook_is_told_once_what_it_wants_to_hear() {
    let scene = Scene::new().await;
    let (all, keys) =
        (scene.webhook("all/200").await, scene.webhook_for("keys/200", Some(&[EventType::KeyCreated])).await);
    scene.happen().await;
    assert_eq!(scene.run().await, Ran { events: 1, delivered: 1, ..Ran::default() });
    assert_eq!(scene.run().await, Ran::default());
    assert_eq!((scene.receiver.got("all").len(), scene.receiver.got("keys").len()), (1, 0));
    let delivery = scene.latest(&all).await;
    assert_eq!((delivery.status, statuses(&delivery)), (DeliveryStatus::Delivered, vec![Some(200)]));
    assert!(scene.deliveries(&keys).await.is_empty());
    let got = &scene.receiver.got("all")[0];
    let body: Value = serde_json::from_str(&got.body).unwrap();
    assert_eq!((&body["type"], &body["timestamp"]), (&"webhook.test".into(), &"2026-11-25T10:00:00Z".into()));
    assert_eq!(
        (got.header("webhook-id"), got.header("content-type")),
        (&*delivery.message.to_string(), "application/json")
    );
}

#[tokio::test]
async fn what_fails_is_told_ten_times_under_one_id_and_then_dead_until_it_is_replayed() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("down/500/500/500/500/500/500/500/500/500/500/200").await;
    let began = scene.now();
    scene.happen().await;
    scene.run().await;
    scene.run_to_the_end(&webhook).await;
    let delivery = scene.latest(&webhook).await;
    assert_eq!((delivery.status, statuses(&delivery)), (DeliveryStatus::Dead, vec![Some(500); 10]));
    let took = scene.now().since(began).as_secs();
    assert!((272_105..=272_105 * 11 / 10 + 10).contains(&took), "{took} s");
    assert_eq!(delivery.attempts[0].body, "answer");

    let actor = Actor::command_line();
    let since = scene.now().before(Duration::from_hours(24 * 30));
    let replayed = scene.webhooks.replay_dead(scene.tenant, webhook.id, since, &actor, scene.now()).await.unwrap();
    assert_eq!((replayed.deliveries, replayed.more_since), (1, None));
    let again = scene.webhooks.replay_dead(scene.tenant, webhook.id, since, &actor, scene.now()).await.unwrap();
    assert_eq!(again.deliveries, 0, "it isn't dead any more");
    assert_eq!(scene.run().await, Ran { delivered: 1, ..Ran::default() });
    assert_eq!(scene.latest(&webhook).await.status, DeliveryStatus::Delivered);
    let got = scene.receiver.got("down");
    assert!(got.iter().all(|one| one.header("webhook-id") == delivery.message.to_string() && one.body == got[0].body));
    assert_eq!(got.len(), 11);
    let times: std::collections::BTreeSet<_> =
        got.iter().map(|got| got.header("webhook-timestamp").to_owned()).collect();
    assert_eq!(times.len(), 10, "an attempt says when it is made; the replay was made at once");
}

#[tokio::test]
async fn two_workers_never_make_the_same_attempt() {
    let scene = Arc::new(Scene::new().await);
    let webhook = scene.webhook("busy/200").await;
    for _ in 0..20 {
        scene.happen().await;
    }
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.run().await })
        })
        .collect();
    let mut delivered = 0;
    for run in runs {
        delivered += run.await.unwrap().delivered;
    }
    assert_eq!((delivered, scene.receiver.got("busy").len()), (20, 20));
    assert!(scene.deliveries(&webhook).await.iter().all(|delivery| delivery.attempts.len() == 1));
}

#[tokio::test]
async fn a_worker_that_dies_over_an_attempt_leaves_it_to_another() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("dying/hang/200").await;
    scene.happen().await;
    let worker = scene.ground.platform.deliveries();
    let until = scene.now().after(Duration::from_secs(40));
    let dying = tokio::spawn(async move { worker.run(until).await });
    while scene.receiver.got("dying").is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    assert_eq!(scene.run().await, Ran::default(), "its claim is not over");
    scene.clock().advance(Duration::from_secs(31));
    assert_eq!(scene.run().await, Ran { delivered: 1, ..Ran::default() });
    let got = scene.receiver.got("dying");
    assert_eq!((got.len(), got[0].header("webhook-id")), (2, got[1].header("webhook-id")));
    assert_eq!(statuses(&scene.latest(&webhook).await), [Some(200)]);
}

#[tokio::test]
async fn one_that_hangs_does_not_hold_up_the_others_and_is_asked_twice_in_a_run() {
    let scene = Scene::new().await;
    let hanging = scene.webhook("hanging/hang").await;
    scene.webhook("quick/200").await;
    for _ in 0..30 {
        scene.happen().await;
    }
    let began = std::time::Instant::now();
    let worker = scene.ground.platform.deliveries();
    let until = scene.now().after(Duration::from_secs(40));
    let run = tokio::spawn(async move { worker.run(until).await.unwrap() });
    while scene.receiver.got("quick").len() < 30 {
        assert!(began.elapsed() < Duration::from_secs(12), "{} came", scene.receiver.got("quick").len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(scene.receiver.got("hanging").len(), 2);
    let ran = run.await.unwrap();
    assert_eq!((ran.delivered, ran.failed), (30, 2));
    assert_eq!(scene.receiver.got("hanging").len(), 2, "it gave no answer in this run");
    let failed: Vec<_> =
        scene.deliveries(&hanging).await.into_iter().filter_map(|mut one| one.attempts.pop()).collect();
    assert_eq!((failed.len(), failed[0].error.as_deref(), failed[0].status), (2, Some("no answer in time"), None));
}

#[tokio::test]
async fn who_is_gone_is_told_nothing_more() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("gone/500/410").await;
    scene.happen().await;
    scene.happen().await;
    scene.run().await;
    assert_eq!(scene.again(&webhook).await.disabled, Some(Disabled::Gone));
    assert!(scene.actions().await.contains(&"webhook.disable".to_owned()));
    scene.clock().advance(Duration::from_mins(10));
    scene.happen().await;
    scene.run().await;
    assert_eq!(scene.receiver.got("gone").len(), 2);
    let deliveries = scene.deliveries(&webhook).await;
    assert_eq!(deliveries.len(), 2, "what happens now isn't for it");
    assert!(deliveries.iter().all(|delivery| delivery.status == DeliveryStatus::Dead));
}

#[tokio::test]
async fn who_fails_for_five_days_is_told_nothing_more_until_it_is_enabled_again() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("failing/500").await;
    let began = scene.now();
    scene.happen().await;
    scene.run().await;
    scene.run_to_the_end(&webhook).await;
    assert_eq!(scene.again(&webhook).await.disabled, None, "three days");
    scene.happen().await;
    scene.run().await;
    scene.run_to_the_end(&webhook).await;
    assert_eq!(scene.again(&webhook).await.disabled, Some(Disabled::Failing));
    assert!(scene.now().since(began) >= Duration::from_hours(5 * 24));
    assert_eq!(scene.actions().await[0], "webhook.disable");
    let enable = |webhook: &mut Webhook| webhook.disabled = None;
    let actor = Actor::command_line();
    scene.webhooks.edit(scene.tenant, webhook.id, IfMatch::Any, &actor, scene.now(), enable).await.unwrap();
    scene.happen().await;
    assert_eq!(scene.run().await.failed, 1);
    assert_eq!(scene.again(&webhook).await.disabled, None, "what failed before doesn't count any more");
}

#[tokio::test]
async fn a_success_ends_the_days_of_failure() {
    let scene = Scene::new().await;
    let ten = ["500"; 10].join("/");
    let webhook = scene.webhook(&format!("mixed/{ten}/200/500")).await;
    for _ in 0..3 {
        // Two events of one millisecond have no order, and the second one is to be the latest.
        scene.clock().advance(Duration::from_secs(1));
        scene.happen().await;
        scene.run().await;
        scene.run_to_the_end(&webhook).await;
    }
    assert_eq!(scene.receiver.got("mixed").len(), 21);
    assert_eq!(scene.again(&webhook).await.disabled, None, "six days, with a success between");
}

#[tokio::test]
async fn who_asks_for_time_gets_it() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("later/later/200").await;
    scene.happen().await;
    scene.run().await;
    assert_eq!(scene.latest(&webhook).await.due, Some(scene.now().after(Duration::from_secs(1_000))));
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_a_long_answer_is_not() {
    let scene = Scene::new().await;
    let (away, long) = (scene.webhook("away/away").await, scene.webhook("long/long").await);
    scene.happen().await;
    assert_eq!(scene.run().await, Ran { events: 1, delivered: 1, failed: 1, ..Ran::default() });
    assert!(scene.receiver.got("elsewhere").is_empty());
    assert_eq!(statuses(&scene.latest(&away).await), [Some(302)]);
    assert_eq!(scene.latest(&long).await.attempts[0].body.len(), 256);
}

#[tokio::test]
async fn what_was_for_a_webhook_that_was_removed_is_forgotten() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("removed/500").await;
    scene.happen().await;
    scene.run().await;
    scene.webhooks.delete(scene.tenant, webhook.id, IfMatch::Any, &Actor::command_line(), scene.now()).await.unwrap();
    scene.clock().advance(Duration::from_mins(10));
    assert_eq!(scene.run().await, Ran::default());
    assert_eq!(scene.receiver.got("removed").len(), 1);
    let due: Vec<Value> = scene.ground.platform.table().due().all().collect().await.unwrap();
    assert!(due.is_empty(), "{due:?}");
}

#[tokio::test]
async fn a_replay_of_what_is_waiting_takes_its_place() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("waiting/500/200").await;
    scene.happen().await;
    scene.run().await;
    let delivery = scene.latest(&webhook).await;
    scene.clock().advance(Duration::from_secs(1));
    let actor = Actor::command_line();
    scene.webhooks.replay(scene.tenant, webhook.id, delivery.message, &actor, scene.now()).await.unwrap();
    assert_eq!(scene.run().await.delivered, 1);
    scene.clock().advance(Duration::from_mins(10));
    assert_eq!(scene.run().await, Ran::default());
    assert_eq!(scene.receiver.got("waiting").len(), 2);
}
