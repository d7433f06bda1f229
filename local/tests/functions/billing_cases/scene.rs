//! One tenant on a plan, whose clock the test sets.

use std::time::Duration;

use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::{
        Invoice, Plan, Profile, Settings,
        invoices::{Billed, Invoices},
        repo::{Choice, Chooser, When},
    },
    clock::{Granularity, Period, Timestamp},
    id::{KeyId, RequestId, TenantId},
    llm::{Usage, catalogue::Catalogue},
    money::{NanoUsd, Tokens},
    platform::Platform,
    store::{keys, keys::Bucket},
    tenant::{Authority, Tenant},
    usage::{Aggregator, Entry, Expired, Outcome, expires_at},
};
use serde_json::{Value, json};

use crate::{
    month::{MODELS, ask, set},
    support::Ground,
};

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub fn month(text: &str) -> Period {
    Period::parse(text).unwrap()
}

pub struct Scene {
    ground: Ground,
    pub tenant: TenantId,
    pub prices: String,
}

/// A plan of that name in euros, but for what is said.
pub fn plan(name: &str, said: Value) -> Plan {
    let mut plan = json!({"name": name, "title": name, "currency": "EUR", "effective": "2035-01-01T00:00:00Z"});
    let Value::Object(said) = said else { panic!("{said} is no object") };
    for (field, value) in said {
        plan[field] = value;
    }
    serde_json::from_value(plan).unwrap()
}

impl Scene {
    /// On this plan from the 1st of October 2035 on.
    pub async fn on(said: Value) -> Self {
        let created = at("2035-10-01T00:00:00Z");
        let ground = Ground::at(created).await;
        let platform = &ground.platform;
        let models = Catalogue::from_toml(MODELS, at("2035-01-01")).unwrap();
        let prices = platform.catalogues().apply(models).await.unwrap();
        let settings = json!({
            "seller": {"name": "LMO GmbH", "address": ["Street 1"], "country": "DE"},
            "tax": {"DE": {"rate": "19"}, "JP": {"name": "JCT", "rate": "10"}}, "payment_days": 14,
        });
        let settings: Settings = serde_json::from_value(settings).unwrap();
        platform.billing_settings().put(settings, IfMatch::Any, &Actor::command_line(), created).await.unwrap();
        let tenant = Tenant::new("Acme", created);
        platform.tenants().open(&tenant, &Actor::command_line()).await.unwrap();
        let scene = Self { tenant: tenant.id, prices, ground };
        scene.choose(plan("first", said), When::Now).await;
        scene
    }

    pub fn platform(&self) -> &Platform {
        &self.ground.platform
    }

    pub fn invoices(&self) -> Invoices {
        self.platform().invoices()
    }

    pub fn payments(&self) -> lmo_shared::billing::payments::Payments {
        self.platform().payments(self.ground.mailer())
    }

    pub fn now(&self) -> Timestamp {
        self.platform().clock().now()
    }

    pub fn set(&self, text: &str) {
        set(self.platform().clock(), at(text));
    }

    /// Puts a plan in and the tenant on it.
    pub async fn choose(&self, plan: Plan, when: When) {
        let (name, actor) = (plan.name.clone(), Actor::command_line());
        let catalogue = self.platform().catalogues().current().await.unwrap();
        let subscriptions = self.platform().subscriptions();
        subscriptions.plans().apply(plan, &catalogue, &actor, self.now()).await.unwrap();
        let (tenant, chooser, version) = (self.tenant, Chooser::Operator, IfMatch::Any);
        let choice = Choice { tenant, plan: &name, when, version, chooser, actor: &actor };
        subscriptions.choose(choice).await.unwrap();
    }

    /// Somebody who owns it.
    pub async fn owner(&self) -> Authority {
        self.ground.owner(self.tenant).await
    }

    /// Says who buys.
    pub async fn buys(&self, said: Value) {
        let profile: Profile = serde_json::from_value(said).unwrap();
        let (buyers, actor) = (self.platform().buyers(), Actor::command_line());
        buyers.put(self.tenant, IfMatch::Any, &profile, &actor, self.now()).await.unwrap();
    }

    /// Asks at a time: so many tokens, and as many again in the answer.
    pub async fn ask(&self, time: &str, tokens: u64) {
        self.set(time);
        ask(self.platform(), self.tenant, self.prices.clone(), tokens).await;
    }

    /// Lets hours be counted to their end.
    pub async fn sweep(&self) {
        self.platform().sweeper().sweep(Expired::ByDeadline).await.unwrap();
    }

    /// Has the ten seconds around a time counted again, as an event of them would.
    pub async fn event(&self, time: &str) {
        let buckets = [Bucket::at(at(time))].into_iter().collect();
        self.aggregator().count(self.tenant, &buckets).await.unwrap();
    }

    pub fn aggregator(&self) -> Aggregator {
        self.platform().aggregator()
    }

    pub async fn bill(&self, period: &str) -> Billed {
        self.invoices().bill(self.tenant, month(period), self.now()).await.unwrap()
    }

    /// Bills a month three days after its end.
    pub async fn finalise(&self, period: &str) -> Invoice {
        set(self.platform().clock(), month(period).end().after(Duration::from_hours(3)));
        self.sweep().await;
        set(self.platform().clock(), month(period).end().after(Duration::from_hours(72)));
        assert_eq!(self.bill(period).await, Billed::Finalised { new: true }, "{period}");
        self.invoice(period).await
    }

    /// Lets so many more requests to the table through, or all of them.
    pub fn cut_after(&self, requests: Option<usize>) {
        *self.ground.left.lock().unwrap() = requests;
    }

    pub async fn invoice(&self, period: &str) -> Invoice {
        self.invoices().get(self.tenant, keys::invoice_of(self.tenant, month(period))).await.unwrap()
    }

    /// An entry in the ledger that nobody else knows of.
    pub async fn plant_entry(&self, time: &str, tokens: u64) {
        let request = RequestId::new(at(time));
        let entry = Entry {
            key: KeyId::new(at(time)),
            model: "lmo/echo".to_owned(),
            prices: self.prices.clone(),
            usage: Usage { input_tokens: Tokens(tokens), ..Usage::default() },
            nano_usd: NanoUsd(tokens * 1_000),
            byok: false,
            estimated: false,
            unbilled: Tokens::ZERO,
            outcome: Outcome::Answered,
            attempts: 1,
            failed_attempts: Vec::new(),
            first_ms: None,
            total_ms: 1,
            expires_at: expires_at(request),
        };
        let hour = Period::of(Granularity::Hour, at(time));
        let ledger = self.platform().table().tenant(self.tenant).ledger(hour);
        ledger.put(&keys::request(request), &entry).await.unwrap();
    }

    /// The actions in the tenant's audit log.
    pub async fn actions(&self) -> Vec<String> {
        let order = lmo_shared::store::Order::Descending;
        let (entries, _) = self.platform().audit().page(self.tenant, None, 100, order).await.unwrap();
        entries.into_iter().map(|entry| entry.action).collect()
    }
}

/// The lines as `text: amount`.
pub fn lines(invoice: &Invoice) -> Vec<String> {
    invoice.lines.iter().map(|line| format!("{}: {}", line.text, line.amount.text(invoice.currency))).collect()
}
