//! A tenant with invoices to pay, a stand-in for Stripe, and a clock that stands still.

use std::{sync::Arc, time::Duration};

use lmo_bench::stripe::{Fault, Rule, StripeOptions, StripeStandin};
use lmo_shared::{
    audit::{Actor, Audit, IfMatch},
    billing::{
        Amount, Currency, Dunning, Invoice, Payment, PaymentStatus, Settings,
        payments::{self, Collected, Payments, Ran},
        repo::BillingSettings,
        stripe::{Event, StripeKeys},
    },
    clock::{Clock, Period, Timestamp},
    id::{InvoiceId, TenantId},
    mail::{EmailAddress, Folder, Mailer},
    store::{Change, Committed, Order, keys},
    tenant::{Operation, Status, Tenant},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Ground;

pub const DAY: Duration = Duration::from_hours(24);
pub const BUYER: &str = "buyer@example.com";

pub struct Scene {
    pub ground: Ground,
    pub bank: StripeStandin,
    pub payments: Payments,
    pub tenant: Tenant,
    /// A key of the tenant's that may do everything.
    pub key: String,
    mail: TempDir,
    http: reqwest::Client,
}

impl Scene {
    /// A tenant without a payment method.
    pub async fn new() -> Arc<Self> {
        let ground = Ground::at(Timestamp::parse("2026-11-25T10:00:00Z").unwrap()).await;
        let bank = StripeStandin::start(StripeOptions::default()).unwrap();
        bank.set_now(i64::try_from(ground.platform.clock().now().seconds()).unwrap());
        let mail = TempDir::new().unwrap();
        let platform = ground.platform.clone();
        let from = EmailAddress::parse("lmo@example.com").unwrap();
        let mailer = Mailer::Folder(Folder::new(mail.path().to_owned(), from, platform.clock().clone()));
        let keys = StripeKeys {
            secret_key: "sk_test_of_the_deployment".to_owned(),
            webhook_secret: "whsec_of_the_deployment".to_owned(),
            publishable_key: Some("pk_test_of_the_deployment".to_owned()),
            api_base: Some(bank.origin()),
        };
        platform.stripe().secret().get_or_create(|| Ok(keys)).await.unwrap();
        let settings = json!({"seller": {"name": "LMO", "address": ["Street 1"], "country": "DE"}});
        let settings = Settings { dunning: Dunning::default(), ..serde_json::from_value(settings).unwrap() };
        let actor = Actor::command_line();
        let known = BillingSettings::new(platform.table().clone());
        known.put(settings, IfMatch::Any, &actor, platform.clock().now()).await.unwrap();
        let tenant = Tenant::new("acme", platform.clock().now());
        let key = platform.tenants().open(&tenant, &Actor::command_line()).await.unwrap().text;
        let payments = platform.payments(mailer);
        Arc::new(Self { ground, bank, payments, tenant, key, mail, http: reqwest::Client::new() })
    }

    /// One that pays with a card of the stand-in's (`pm_card_visa`).
    pub async fn with_card(card: &str) -> Arc<Self> {
        let scene = Self::new().await;
        scene.set_card(card).await;
        scene
    }

    pub fn clock(&self) -> &Clock {
        self.ground.platform.clock()
    }

    pub fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// Time passes, here and at Stripe.
    pub fn wait(&self, time: Duration) {
        self.clock().advance(time);
        self.bank.advance(i64::try_from(time.as_secs()).unwrap());
    }

    /// Asks the stand-in something, as Stripe's own libraries would.
    pub async fn ask(&self, method: &str, path: &str, form: &str) -> Value {
        let url = format!("{}{path}", self.bank.origin());
        let request = self.http.request(method.parse().unwrap(), url).bearer_auth("sk_test_of_the_deployment");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
    }

    /// Sets a card up, as the tenant's browser would, and has it told.
    pub async fn set_card(&self, card: &str) -> String {
        let setup = self.set_up(card).await;
        let event = told("setup_intent.succeeded", &json!({"id": setup}));
        self.payments.hear(&event).await.unwrap();
        self.payments.method(self.tenant.id).await.unwrap().unwrap().id
    }

    /// Sets a card up; nobody is told of it yet. Returns the id of the setting up.
    pub async fn set_up(&self, card: &str) -> String {
        let mut change = Change::new(self.ground.platform.table());
        let setup = self.payments.set_up(&mut change, &self.tenant, &Actor::command_line()).await.unwrap();
        assert_eq!(change.commit().await.unwrap(), Committed::Yes);
        let id = setup.client_secret.split("_secret").next().unwrap().to_owned();
        let form = format!("payment_method={card}&return_url=https://example.com");
        let confirmed = self.ask("POST", &format!("/v1/setup_intents/{id}/confirm"), &form).await;
        if confirmed["status"] == "requires_action" {
            self.bank.authenticate(&id, true).await.unwrap();
        } else {
            assert_eq!(confirmed["status"], "succeeded", "{confirmed}");
        }
        id
    }

    /// An invoice of a month that is just being finalised.
    pub async fn invoice(&self, month: &str, amount: &str) -> InvoiceId {
        self.invoice_in(month, amount, "EUR").await
    }

    pub async fn invoice_in(&self, month: &str, amount: &str, currency: &str) -> InvoiceId {
        let (tenant, now) = (self.tenant.id, self.now());
        let id = keys::invoice_of(tenant, Period::parse(month).unwrap());
        let mut invoice: Invoice = serde_json::from_value(json!({
            "id": id, "tenant": tenant, "period": month, "number": format!("LMO-{month}"), "status": "finalised",
            "payment": "none", "currency": currency, "lines": [], "plans": [], "entries": 0,
            "seller": {"name": "LMO", "address": [], "country": "DE"}, "buyer": {"name": "acme", "email": BUYER},
            "subtotal": amount, "total": amount, "due": amount, "created_at": now, "finalised_at": now,
            "due_at": now.after(DAY * 14), "version": 1,
            "tax": {"name": "", "rate": "0", "amount": "0"},
        }))
        .unwrap();
        let mut change = Change::new(self.ground.platform.table());
        payments::begin(&mut change, &mut invoice, now).unwrap();
        let invoices = self.ground.platform.table().tenant(tenant).invoices();
        change.put_new(&invoices, &keys::invoice(id), &invoice).unwrap();
        assert_eq!(change.commit().await.unwrap(), Committed::Yes);
        id
    }

    pub async fn collect(&self, invoice: InvoiceId) -> Collected {
        self.payments.collect(self.tenant.id, invoice).await.unwrap()
    }

    /// Works off whatever is due now.
    pub async fn run(&self) -> Ran {
        self.payments.run_due(self.now().after(Duration::from_hours(1))).await.unwrap()
    }

    pub async fn read(&self, invoice: InvoiceId) -> Invoice {
        let invoices = self.ground.platform.table().tenant(self.tenant.id).invoices();
        invoices.find(&keys::invoice(invoice)).await.unwrap().unwrap()
    }

    /// Changes an invoice as whoever writes credit notes or voids it does.
    pub async fn change(&self, invoice: InvoiceId, by: impl FnOnce(&mut Invoice)) {
        let mut invoice = self.read(invoice).await;
        let of = invoice.version;
        by(&mut invoice);
        invoice.version += 1;
        let mut change = Change::new(self.ground.platform.table());
        payments::watch(&mut change, &mut invoice, Some(self.now())).unwrap();
        let invoices = self.ground.platform.table().tenant(self.tenant.id).invoices();
        change.replace(&invoices, &keys::invoice(invoice.id), &invoice, of).unwrap();
        assert_eq!(change.commit().await.unwrap(), Committed::Yes);
    }

    pub async fn status(&self, invoice: InvoiceId) -> PaymentStatus {
        self.read(invoice).await.payment
    }

    pub async fn attempts(&self, invoice: InvoiceId) -> Vec<Payment> {
        self.payments.of(self.tenant.id, invoice).await.unwrap()
    }

    /// All payments that Stripe knows, of an invoice or of all, the newest first.
    pub fn intents(&self, invoice: Option<InvoiceId>) -> Vec<Value> {
        let id = invoice.map(|id| id.to_string());
        let is = |intent: &Value| id.as_deref().is_none_or(|id| intent["metadata"]["invoice"] == id);
        self.bank.objects("payment_intent").into_iter().filter(is).collect()
    }

    /// Of these, how much money came, in minor units, less what went back.
    pub async fn charged(&self, invoice: InvoiceId) -> i64 {
        let mut sum = 0;
        for intent in self.intents(Some(invoice)).iter().filter(|intent| intent["status"] == "succeeded") {
            sum += intent["amount_received"].as_i64().unwrap();
            let refunds = self.ask("GET", &format!("/v1/refunds?payment_intent={}", text(&intent["id"])), "").await;
            let back = refunds["data"].as_array().unwrap().iter().filter(|refund| refund["status"] != "failed");
            sum -= back.map(|refund| refund["amount"].as_i64().unwrap()).sum::<i64>();
        }
        sum
    }

    /// The subjects of all letters to the buyer, in order.
    pub fn letters(&self) -> Vec<String> {
        let mut files: Vec<_> = std::fs::read_dir(self.mail.path()).into_iter().flatten().flatten().collect();
        files.sort_by_key(|file| file.metadata().unwrap().modified().unwrap());
        let subject = |text: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix("Subject: "));
            line.unwrap_or_default().to_owned()
        };
        files.iter().map(|file| subject(&std::fs::read_to_string(file.path()).unwrap())).collect()
    }

    /// What is in the tenant's audit log of a kind, the oldest first.
    pub async fn audited(&self, prefix: &str) -> Vec<String> {
        let audit = Audit::new(self.ground.platform.table().clone());
        let (entries, _) = audit.page(self.tenant.id, None, 100, Order::Ascending).await.unwrap();
        entries.into_iter().map(|entry| entry.action).filter(|action| action.starts_with(prefix)).collect()
    }

    /// What webhooks are told of invoices, the oldest first.
    pub async fn announced(&self) -> Vec<String> {
        let events: Vec<Value> = self
            .ground
            .platform
            .table()
            .tenant(self.tenant.id)
            .webhooks()
            .begins_with("EVENT#")
            .collect()
            .await
            .unwrap();
        let kinds = events.iter().map(|event| text(&event["kind"]).to_owned());
        kinds.filter(|kind| kind.starts_with("invoice.")).collect()
    }

    /// Everything that is to be collected.
    pub async fn listed(&self) -> usize {
        self.ground.platform.table().collect().all::<Value>().collect().await.unwrap().len()
    }

    pub async fn tenant_status(&self) -> Status {
        self.ground.platform.tenants().get(self.tenant.id).await.unwrap().status
    }

    pub async fn suspend(&self, reason: &str) {
        let (actor, at) = (Actor::command_line(), self.now());
        let operation = Operation { tenant: self.tenant.id, version: IfMatch::Any, actor: &actor, at };
        self.ground.platform.tenants().suspend(operation, reason).await.unwrap();
    }

    /// Notes a transfer.
    pub async fn note(&self, invoice: InvoiceId, amount: &str) -> lmo_shared::error::Result<()> {
        let mut change = Change::new(self.ground.platform.table());
        let amount = Amount::parse(amount).unwrap();
        let actor = Actor::command_line();
        self.payments.note(&mut change, self.tenant.id, invoice, amount, "transfer 4711", &actor).await?;
        assert_eq!(change.commit().await.unwrap(), Committed::Yes);
        Ok(())
    }

    /// Has something go back.
    pub async fn refund(&self, invoice: InvoiceId, amount: &str) -> lmo_shared::error::Result<()> {
        let mut change = Change::new(self.ground.platform.table());
        let (amount, actor) = (Amount::parse(amount).unwrap(), Actor::command_line());
        self.payments.refund(&mut change, self.tenant.id, invoice, amount, "an outage", &actor).await?;
        assert_eq!(change.commit().await.unwrap(), Committed::Yes);
        Ok(())
    }

    /// The next so many requests for a payment are done and not answered.
    pub fn lose_answers(&self, number: u32) {
        self.go_wrong(Fault::Lost, "/v1/payment_intents", number);
    }

    /// The next so many requests for a payment don't arrive.
    pub fn lose_requests(&self, number: u32) {
        self.go_wrong(Fault::Unreached, "/v1/payment_intents", number);
    }

    pub fn go_wrong(&self, fault: Fault, path: &str, times: u32) {
        self.bank.fault(Rule { times, ..Rule::next(fault).at("POST", path) });
    }

    pub fn id(&self) -> TenantId {
        self.tenant.id
    }
}

/// An event of Stripe.
pub fn told(kind: &str, object: &Value) -> Event {
    let id = format!("evt_{:032x}", rand::random::<u128>());
    serde_json::from_value(json!({"id": id, "type": kind, "data": {"object": object}})).unwrap()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub fn euros(text: &str) -> Amount {
    assert!(Currency::parse("EUR").is_some());
    Amount::parse(text).unwrap()
}
