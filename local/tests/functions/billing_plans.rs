//! Plans, coupons and credit in the course of time.

use std::time::Duration;

use futures_util::future::join_all;
use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::{
        Amount, Coupon, Currency, Grant, Invoice, Off, Percent, Plan, Settings,
        invoices::Billed,
        plans_from_toml,
        repo::{Begun, Choice, Chooser, Grants, Subscribed, When, grants},
    },
    clock::{Period, Timestamp},
    error::{Error, Result},
    id::{KeyId, RequestId, TenantId},
    llm::catalogue::Catalogue,
    money::{NanoUsd, Tokens},
    quota::{Account, Grant as Held, Hold, Limits},
    store::keys,
    tenant::{Purged, Tenant},
};

use crate::{month::set, support::Ground};

const MODELS: &str = "[providers.lmo]\nkind = \"echo\"\n[models.\"lmo/echo\"]\nprovider = \"lmo\"\n\
                      context_window = 100000\nprice = { input = 1, output = 2 }\n";
const DAY: Duration = Duration::from_hours(24);

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn month(text: &str) -> Period {
    Period::parse(text).unwrap()
}

fn dollars(units: u64) -> NanoUsd {
    NanoUsd(units * 1_000_000_000)
}

/// A platform with the plans and the settings that ship, all since 1 October.
struct Scene {
    ground: Ground,
}

impl Scene {
    async fn at(now: &str) -> Self {
        let ground = Ground::at(at("2026-10-01")).await;
        let (platform, actor, since) = (&ground.platform, Actor::command_line(), at("2026-10-01"));
        let models = Catalogue::from_toml(MODELS, since).unwrap();
        platform.catalogues().apply(models.clone()).await.unwrap();
        for plan in plans_from_toml(include_str!("../../../plans.toml"), since).unwrap() {
            platform.plans().apply(plan, &models, &actor, since).await.unwrap();
        }
        let settings = Settings::from_toml(include_str!("../../../billing.toml")).unwrap();
        platform.billing_settings().put(settings, IfMatch::Any, &actor, since).await.unwrap();
        set(platform.clock(), at(now));
        Self { ground }
    }

    fn move_to(&self, to: &str) {
        set(self.ground.platform.clock(), at(to));
    }

    /// A tenant that has just signed up.
    async fn tenant(&self) -> TenantId {
        let platform = &self.ground.platform;
        let mut tenant = Tenant::new("acme", platform.clock().now());
        let mut change = platform.tenants().change();
        platform.subscriptions().welcome(&mut change, &mut tenant).await.unwrap();
        platform.tenants().open_with(change, &tenant, &Actor::command_line()).await.unwrap();
        tenant.id
    }

    /// An owner of it.
    async fn choose(&self, tenant: TenantId, plan: &str, when: When, chooser: Chooser) -> Result<(Subscribed, Tenant)> {
        let (version, actor) = (IfMatch::Any, Actor::command_line());
        let choice = Choice { tenant, plan, when, version, chooser, actor: &actor };
        self.ground.platform.subscriptions().choose(choice).await
    }

    async fn find(&self, tenant: TenantId) -> Tenant {
        self.ground.platform.tenants().get(tenant).await.unwrap()
    }

    async fn subscribed(&self, tenant: TenantId) -> Subscribed {
        self.ground.platform.subscriptions().find(&self.find(tenant).await).await.unwrap().unwrap()
    }

    async fn begin_terms(&self) -> Begun {
        self.ground.platform.subscriptions().begin_terms(Timestamp(u64::MAX)).await.unwrap()
    }

    /// Which plan a tenant is on in which parts of a month.
    async fn parts(&self, tenant: TenantId, period: &str) -> Vec<(String, String, String)> {
        let segments = self.subscribed(tenant).await.segments(month(period));
        segments.iter().map(|one| (one.plan.name.clone(), one.from.to_string(), one.to.to_string())).collect()
    }

    async fn give(&self, tenant: TenantId, grant: &Grant) {
        let mut change = self.ground.platform.tenants().change();
        Grants::give_as_operator(&mut change, tenant, grant, &Actor::command_line()).unwrap();
        change.commit().await.unwrap().or(|| panic!("it is new")).unwrap();
        self.ground.platform.subscriptions().recap(tenant).await.unwrap();
    }

    /// Credit: what so many dollars are in the plans' currency, at their rate.
    fn credit(&self, dollars: i64, expires: Option<&str>) -> Grant {
        let now = self.ground.platform.clock().now();
        grants::grant(
            Amount(Amount::units(dollars).0 * 92 / 100),
            Currency::EUR,
            "a test".to_owned(),
            expires.map(at),
            now,
        )
    }

    /// Holds money for a request with limits that may be up to 30 s old.
    async fn hold(&self, known: &Tenant, cost: NanoUsd) -> Result<(Account, Held)> {
        let now = self.ground.platform.clock().now();
        let key = KeyId::new(now);
        let (tenant, limits, shards) = (known.id, known.limits, known.meter_shards);
        let account = Account { tenant, limits, shards, key, key_limits: Limits::default() };
        let hold = Hold {
            input: Tokens(1),
            output: Tokens(1),
            cost,
            deadline: now.after(Duration::from_mins(1)),
            key,
            model: "lmo/echo".to_owned(),
            prices: String::new(),
            byok: false,
        };
        let grant = self.ground.platform.meters().hold(&account, RequestId::new(now), hold).await?;
        Ok((account, grant))
    }

    async fn spend(&self, tenant: TenantId, cost: NanoUsd) {
        let (account, held) = self.hold(&self.find(tenant).await, cost).await.unwrap();
        self.ground.platform.meters().settle(&account, &held, Tokens(2), cost).await.unwrap();
    }

    async fn coupon(&self, coupon: Coupon) {
        let mut change = self.ground.platform.tenants().change();
        self.ground.platform.coupons().create(&mut change, &coupon, &Actor::command_line()).unwrap();
        change.commit().await.unwrap().or(|| panic!("it is new")).unwrap();
    }
}

fn coupon(code: &str) -> Coupon {
    Coupon {
        code: code.to_owned(),
        off: Off::Percent(Percent::parse("10").unwrap()),
        currency: None,
        periods: None,
        redemptions_left: None,
        until: None,
        plans: Vec::new(),
        version: 0,
    }
}

fn part(plan: &str, from: &str, to: &str) -> (String, String, String) {
    (plan.to_owned(), at(from).to_string(), at(to).to_string())
}

#[tokio::test]
async fn who_signs_up_is_on_the_default_plan_with_its_limits() {
    let scene = Scene::at("2026-11-10T08:00:00Z").await;
    let id = scene.tenant().await;
    let tenant = scene.find(id).await;
    assert_eq!((tenant.plan.as_deref(), tenant.limits.monthly_tokens), (Some("free"), Some(1_000_000)));
    assert_eq!(tenant.limits.requests_per_minute, Some(20));
    let from_then = [part("free", "2026-11-10T08:00:00Z", "2026-12-01")];
    assert_eq!(scene.parts(id, "2026-11").await, from_then);
    assert!(scene.parts(id, "2026-10").await.is_empty());
}

#[tokio::test]
async fn a_change_in_the_last_millisecond_of_a_month_counts_for_that_millisecond() {
    let scene = Scene::at("2026-11-01").await;
    let id = scene.tenant().await;
    scene.move_to("2026-11-30T23:59:59.999Z");
    let (_, tenant) = scene.choose(id, "prepaid", When::Now, Chooser::Tenant).await.unwrap();
    assert_eq!((tenant.plan.as_deref(), tenant.limits.monthly_nano_usd), (Some("prepaid"), Some(0)));
    let last = "2026-11-30T23:59:59.999Z";
    let wanted = [part("free", "2026-11-01", last), part("prepaid", last, "2026-12-01")];
    assert_eq!(scene.parts(id, "2026-11").await, wanted);
    assert_eq!(scene.parts(id, "2026-12").await, [part("prepaid", "2026-12-01", "2027-01-01")]);
}

#[tokio::test]
async fn a_change_at_the_months_end_takes_effect_when_its_time_comes() {
    let scene = Scene::at("2026-11-19").await;
    let id = scene.tenant().await;
    scene.move_to("2026-11-20");
    // Another currency can't begin within a month.
    let platform = &scene.ground.platform;
    let (models, now) = (platform.catalogues().current().await.unwrap(), at("2026-11-20"));
    let dollars = Plan {
        name: "dollars".to_owned(),
        currency: Currency::USD,
        usd: Amount::units(1),
        effective: now,
        ..Plan::clone(&*platform.plans().current("team", now).await.unwrap())
    };
    platform.plans().apply(dollars, &models, &Actor::command_line(), now).await.unwrap();
    let refused = scene.choose(id, "dollars", When::Now, Chooser::Tenant).await;
    assert!(matches!(refused, Err(Error::Invalid { param, .. }) if param == "when"));
    scene.choose(id, "team", When::PeriodEnd, Chooser::Tenant).await.unwrap();
    assert_eq!(scene.begin_terms().await, Begun::default());
    assert_eq!(scene.find(id).await.plan.as_deref(), Some("free"));
    scene.move_to("2026-12-01");
    assert_eq!(scene.begin_terms().await, Begun { tenants: 1, ..Begun::default() });
    let tenant = scene.find(id).await;
    assert_eq!((tenant.plan.as_deref(), tenant.limits.requests_per_minute), (Some("team"), Some(600)));
    assert_eq!(scene.begin_terms().await, Begun::default(), "and never again");
    assert_eq!(scene.parts(id, "2026-11").await, [part("free", "2026-11-19", "2026-12-01")]);
    // The trial of 14 days cuts the month.
    let wanted = [part("team", "2026-12-01", "2026-12-15"), part("team", "2026-12-15", "2027-01-01")];
    assert_eq!(scene.parts(id, "2026-12").await, wanted);
}

#[tokio::test]
async fn whoever_comes_back_to_a_plan_gets_no_second_trial() {
    let scene = Scene::at("2026-11-20").await;
    let id = scene.tenant().await;
    scene.choose(id, "team", When::PeriodEnd, Chooser::Tenant).await.unwrap();
    scene.move_to("2026-12-02");
    let trial = scene.subscribed(id).await.subscription.trial_until;
    assert_eq!(trial, Some(at("2026-12-15")));
    for (now, plan) in [("2026-12-31", "free"), ("2027-01-31", "team")] {
        scene.move_to(now);
        scene.choose(id, plan, When::PeriodEnd, Chooser::Tenant).await.unwrap();
    }
    assert_eq!(scene.subscribed(id).await.subscription.trial_until, trial);
    assert_eq!(scene.parts(id, "2027-02").await, [part("team", "2027-02-01", "2027-03-01")]);
}

#[tokio::test]
async fn a_tenant_keeps_its_version_until_it_moves() {
    let scene = Scene::at("2026-11-10").await;
    let (platform, id) = (&scene.ground.platform, scene.tenant().await);
    let mut dearer = (*platform.plans().current("free", at("2026-11-10")).await.unwrap()).clone();
    dearer.base_fee = Amount::units(1);
    dearer.effective = at("2026-11-11");
    let models = platform.catalogues().current().await.unwrap();
    platform.plans().apply(dearer.clone(), &models, &Actor::command_line(), at("2026-11-10")).await.unwrap();
    let again = Amount::units(2);
    let other = lmo_shared::billing::Plan { base_fee: again, ..dearer };
    let refused = platform.plans().apply(other, &models, &Actor::command_line(), at("2026-11-10")).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "a version never changes");
    scene.move_to("2026-11-12");
    let fee = async || scene.subscribed(id).await.plan_at(at("2026-11-12")).unwrap().base_fee;
    assert_eq!(fee().await, Amount::ZERO);
    assert_eq!(platform.plans().current("free", at("2026-11-12")).await.unwrap().base_fee, Amount::units(1));
    scene.choose(id, "free", When::Now, Chooser::Tenant).await.unwrap();
    assert_eq!(fee().await, Amount::units(1));
}

#[tokio::test]
async fn prepaid_credit_is_all_that_can_be_used() {
    let scene = Scene::at("2026-11-10").await;
    let id = scene.tenant().await;
    scene.choose(id, "prepaid", When::Now, Chooser::Tenant).await.unwrap();
    assert!(scene.hold(&scene.find(id).await, NanoUsd(1)).await.is_err());
    let known = scene.find(id).await;
    scene.give(id, &scene.credit(11, None)).await;
    // What 11 USD are, at 10 % on the list, is 10 USD of it, also for who knows older limits.
    assert_eq!(scene.find(id).await.limits.monthly_nano_usd, Some(10_000_000_000));
    assert!(scene.hold(&known, dollars(11)).await.is_err());
    assert!(scene.hold(&known, dollars(10)).await.is_ok());
    assert!(scene.hold(&known, NanoUsd(1)).await.is_err());
}

#[tokio::test]
async fn no_credit_is_spent_in_two_months() {
    let scene = Scene::at("2026-11-10").await;
    let id = scene.tenant().await;
    scene.choose(id, "prepaid", When::Now, Chooser::Tenant).await.unwrap();
    scene.give(id, &scene.credit(11, None)).await;
    scene.spend(id, dollars(6)).await;
    let known = scene.find(id).await;
    // The month has changed, and nobody has come by yet.
    scene.move_to("2026-12-01T00:00:00.001Z");
    assert!(scene.hold(&known, dollars(5)).await.is_err());
    scene.spend(id, dollars(3)).await;
    assert!(scene.hold(&known, dollars(2)).await.is_err());
    // Nor is it when somebody has.
    assert_eq!(scene.begin_terms().await, Begun { tenants: 1, ..Begun::default() });
    assert_eq!(scene.find(id).await.limits.monthly_nano_usd, Some(4_000_000_000));
    assert!(scene.hold(&known, dollars(2)).await.is_err());
    assert!(scene.hold(&known, dollars(1)).await.is_ok());
    // And a month later, from whose beginning on nobody has either.
    scene.move_to("2027-01-01");
    assert!(scene.hold(&scene.find(id).await, NanoUsd(1)).await.is_err());
}

#[tokio::test]
async fn credit_that_expires_is_gone_with_the_month() {
    let scene = Scene::at("2026-11-10").await;
    let id = scene.tenant().await;
    scene.choose(id, "prepaid", When::Now, Chooser::Tenant).await.unwrap();
    scene.give(id, &scene.credit(11, Some("2026-11-15"))).await;
    scene.give(id, &scene.credit(22, None)).await;
    assert_eq!(scene.find(id).await.limits.monthly_nano_usd, Some(30_000_000_000));
    scene.move_to("2026-12-01");
    assert_eq!(scene.begin_terms().await, Begun { tenants: 1, ..Begun::default() });
    assert_eq!(scene.find(id).await.limits.monthly_nano_usd, Some(20_000_000_000));
}

#[tokio::test]
async fn a_tenant_whose_plan_can_not_be_kept_holds_up_nobody() {
    let scene = Scene::at("2026-11-20").await;
    let (broken, fine) = (scene.tenant().await, scene.tenant().await);
    for (id, plan) in [(broken, "team"), (fine, "prepaid")] {
        scene.choose(id, plan, When::PeriodEnd, Chooser::Tenant).await.unwrap();
    }
    // The version is gone, as nobody but an accident does it.
    let table = scene.ground.platform.table();
    table.billing().delete_all(&[keys::plan_version("team", at("2026-10-01"))]).await.unwrap();
    let fresh = lmo_shared::platform::Platform::clone(&scene.ground.platform);
    scene.move_to("2026-12-01");
    let begun = fresh.subscriptions().begin_terms(Timestamp(u64::MAX)).await.unwrap();
    assert_eq!(begun, Begun { tenants: 1, failed: 1, unfinished: false });
    assert_eq!(scene.find(fine).await.plan.as_deref(), Some("prepaid"));
    let none = fresh.subscriptions().begin_terms(at("2026-12-01")).await.unwrap();
    assert_eq!(none, Begun { unfinished: true, ..Begun::default() }, "it is still to be done");
}

#[tokio::test]
async fn a_coupon_is_redeemed_as_often_as_it_may_be_and_once_by_each() {
    let scene = Scene::at("2026-11-10").await;
    scene.coupon(Coupon { redemptions_left: Some(3), ..coupon("THREE") }).await;
    let mut tenants = Vec::new();
    for _ in 0..6 {
        tenants.push(scene.find(scene.tenant().await).await);
    }
    let coupons = scene.ground.platform.coupons();
    let actor = Actor::command_line();
    // Each of them twice at once.
    let all = tenants.iter().chain(&tenants).map(|tenant| coupons.redeem(tenant, "THREE", &actor));
    let redeemed = join_all(all).await;
    assert!(redeemed.iter().all(|one| matches!(one, Ok(_) | Err(Error::NotFound { .. } | Error::Conflict(_)))));
    // Who was too slow tries again.
    for tenant in &tenants {
        let _ = coupons.redeem(tenant, "THREE", &actor).await;
    }
    let mut have = Vec::new();
    for tenant in &tenants {
        have.push(scene.subscribed(tenant.id).await.subscription.coupons.len());
    }
    have.sort_unstable();
    assert_eq!(have, [0, 0, 0, 1, 1, 1]);
    assert_eq!(coupons.get("THREE").await.unwrap().redemptions_left, Some(0));
}

#[tokio::test]
async fn a_coupon_has_conditions() {
    let scene = Scene::at("2026-11-10").await;
    let tenant = scene.find(scene.tenant().await).await;
    let dollars = Coupon { off: Off::Amount(Amount::units(5)), currency: Some(Currency::USD), ..coupon("DOLLARS") };
    scene.coupon(dollars).await;
    scene.coupon(Coupon { plans: vec!["team".to_owned()], ..coupon("TEAM") }).await;
    scene.coupon(Coupon { until: Some(at("2026-11-10")), ..coupon("LATE") }).await;
    scene.coupon(coupon("GOOD")).await;
    let coupons = scene.ground.platform.coupons();
    let actor = Actor::command_line();
    let redeem = async |code: &str| coupons.redeem(&tenant, code, &actor).await;
    for code in ["DOLLARS", "TEAM"] {
        assert!(matches!(redeem(code).await, Err(Error::Conflict(_))), "{code}");
    }
    for code in ["LATE", "NONE", "", "good", "GOOD#"] {
        assert!(matches!(redeem(code).await, Err(Error::NotFound { .. })), "{code}");
    }
    let first = redeem("GOOD").await.unwrap();
    scene.move_to("2026-11-11");
    assert_eq!(redeem("GOOD").await.unwrap(), first, "once more is the same");
    // Whoever has it keeps it.
    coupons.delete("GOOD", &actor).await.unwrap();
    assert_eq!(redeem("GOOD").await.unwrap(), first);
    assert_eq!(scene.subscribed(tenant.id).await.subscription.discounts(month("2026-11"), Currency::EUR).len(), 1);
}

#[tokio::test]
async fn a_deletion_that_is_taken_back_costs_nothing() {
    let scene = Scene::at("2026-11-01").await;
    let (tenants, id) = (scene.ground.platform.tenants(), scene.tenant().await);
    let by = scene.ground.owner(id).await;
    scene.move_to("2026-11-10");
    tenants.announce_deletion(id, "acme", IfMatch::Any, &by, at("2026-11-10")).await.unwrap();
    assert_eq!(scene.parts(id, "2026-11").await, [part("free", "2026-11-01", "2026-11-10")]);
    assert!(scene.parts(id, "2026-12").await.is_empty());
    scene.move_to("2026-11-20");
    tenants.restore(id, &by, at("2026-11-20")).await.unwrap();
    let wanted = [part("free", "2026-11-01", "2026-11-10"), part("free", "2026-11-20", "2026-12-01")];
    assert_eq!(scene.parts(id, "2026-11").await, wanted);
    // A change keeps it so.
    scene.move_to("2026-11-25");
    scene.choose(id, "prepaid", When::Now, Chooser::Tenant).await.unwrap();
    assert_eq!(scene.parts(id, "2026-11").await[..1], wanted[..1]);
    assert_eq!(scene.parts(id, "2026-11").await.len(), 3);
}

#[tokio::test]
async fn a_tenant_is_removed_after_its_last_invoice_which_stays() {
    let scene = Scene::at("2026-11-01").await;
    let (platform, id) = (&scene.ground.platform, scene.tenant().await);
    let by = scene.ground.owner(id).await;
    scene.choose(id, "enterprise", When::PeriodEnd, Chooser::Operator).await.unwrap();
    scene.move_to("2026-12-10");
    platform.tenants().announce_deletion(id, "acme", IfMatch::Any, &by, at("2026-12-10")).await.unwrap();
    // Nobody has billed December.
    scene.move_to("2027-01-15");
    assert_eq!(platform.purge().run(Timestamp(u64::MAX)).await.unwrap(), Purged::default());
    let billed = platform.invoices().bill(id, month("2026-12"), at("2027-01-15")).await.unwrap();
    assert_eq!(billed, Billed::Finalised { new: true });
    assert_eq!(platform.purge().run(Timestamp(u64::MAX)).await.unwrap().tenants, 1);
    assert!(platform.tenants().find(id).await.unwrap().is_none());
    let invoices = platform.table().tenant(id).invoices();
    let kept: Vec<Invoice> = invoices.begins_with(keys::INVOICE_PREFIX).collect().await.unwrap();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].total > Amount::ZERO && kept[0].number.is_some());
    // What is to be collected of it is, too.
    let collect: Vec<serde_json::Value> = platform.table().collect().all().collect().await.unwrap();
    assert_eq!(collect.len(), 1, "{collect:#?}");
}

#[tokio::test]
async fn a_tenant_is_not_removed_while_the_month_before_its_last_is_a_draft() {
    let scene = Scene::at("2026-11-09").await;
    let (platform, id) = (&scene.ground.platform, scene.tenant().await);
    let by = scene.ground.owner(id).await;
    scene.move_to("2026-12-01");
    let draft = platform.invoices().bill(id, month("2026-11"), at("2026-12-01")).await.unwrap();
    assert!(matches!(draft, Billed::Waiting { .. }), "{draft:?}");
    scene.move_to("2026-12-02");
    platform.tenants().announce_deletion(id, "acme", IfMatch::Any, &by, at("2026-12-02")).await.unwrap();
    scene.move_to("2027-01-15");
    let run = async || platform.purge().run(Timestamp(u64::MAX)).await.unwrap();
    platform.invoices().bill(id, month("2026-12"), at("2027-01-15")).await.unwrap();
    assert_eq!(run().await, Purged::default());
    platform.invoices().bill(id, month("2026-11"), at("2027-01-15")).await.unwrap();
    assert_eq!(run().await.tenants, 1);
}

#[tokio::test]
async fn a_tenant_without_a_last_invoice_is_removed_some_day() {
    let scene = Scene::at("2026-11-09").await;
    let (platform, id) = (&scene.ground.platform, scene.tenant().await);
    let by = scene.ground.owner(id).await;
    scene.move_to("2026-11-10");
    platform.tenants().announce_deletion(id, "acme", IfMatch::Any, &by, at("2026-11-10")).await.unwrap();
    platform.clock().advance(89 * DAY);
    assert_eq!(platform.purge().run(Timestamp(u64::MAX)).await.unwrap(), Purged::default());
    platform.clock().advance(2 * DAY);
    assert_eq!(platform.purge().run(Timestamp(u64::MAX)).await.unwrap().tenants, 1);
}

#[tokio::test]
async fn nobody_changes_what_somebody_else_has_changed_meanwhile() {
    let scene = Scene::at("2026-11-10").await;
    let id = scene.tenant().await;
    let (before, actor) = (scene.subscribed(id).await.subscription.version, Actor::command_line());
    scene.choose(id, "prepaid", When::Now, Chooser::Tenant).await.unwrap();
    let choice = Choice {
        tenant: id,
        plan: "free",
        when: When::Now,
        version: IfMatch::Version(before),
        chooser: Chooser::Tenant,
        actor: &actor,
    };
    let refused = scene.ground.platform.subscriptions().choose(choice).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed)));
    // And of several at once each takes place, one behind the other.
    let both = ["free", "prepaid"].map(|plan| scene.choose(id, plan, When::Now, Chooser::Tenant));
    assert!(join_all(both).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_tenant_moves_to_public_plans_alone_and_not_without_end() {
    let scene = Scene::at("2026-11-10").await;
    let id = scene.tenant().await;
    for plan in ["enterprise", "nothing", ""] {
        let refused = scene.choose(id, plan, When::PeriodEnd, Chooser::Tenant).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{plan}");
    }
    let mut changes = 0;
    let refused = loop {
        scene.ground.platform.clock().advance(Duration::from_secs(1));
        let plan = if changes % 2 == 0 { "prepaid" } else { "free" };
        match scene.choose(id, plan, When::Now, Chooser::Tenant).await {
            Ok(_) => changes += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, Error::Conflict(_)) && changes == 4, "{changes}: {refused}");
    assert!(scene.choose(id, "enterprise", When::PeriodEnd, Chooser::Operator).await.is_ok());
}
