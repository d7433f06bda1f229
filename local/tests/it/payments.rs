//! Payments of the real binary: a browser sets a card up, Stripe's stand-in tells of it, invoices are paid, money goes back.

use std::time::Duration;

use lmo_bench::stripe::{Hook, Signature, StripeOptions, StripeStandin};
use lmo_shared::{
    billing::{Invoice, payments},
    clock::{Clock, Period},
    id::TenantId,
    store::{Change, keys},
};

use crate::{
    billing_runs::seed::in_place,
    operators::{Desk, deployment},
    support::{Response, Setup, Value, json},
};

const METHOD: &str = "/api/billing/payment-method";
const SECRET_KEY: &str = "sk_test_of_the_deployment";
const WEBHOOK_SECRET: &str = "whsec_of_the_deployment";

/// A platform with an account at Stripe, an operator, and a tenant with three invoices over 49 EUR.
struct World {
    bank: StripeStandin,
    desk: Desk,
    tenant: String,
    key: String,
    invoices: Vec<String>,
}

impl World {
    async fn new() -> Self {
        let bank = StripeStandin::start(StripeOptions::default()).unwrap();
        let setup = deployment();
        let (tenant, key) = setup.tenant(&[]);
        store_keys(&setup, &bank.origin());
        let id = TenantId::parse(&tenant).unwrap();
        let mut invoices = Vec::new();
        in_place(&setup.data_dir(), async |platform| {
            for month in ["2026-01", "2026-02", "2026-03"] {
                let now = Clock::System.now();
                let mut invoice: Invoice = serde_json::from_value(json!({
                    "id": keys::invoice_of(id, Period::parse(month).unwrap()), "tenant": id, "period": month,
                    "number": format!("LMO-{month}"), "status": "finalised", "payment": "none", "currency": "EUR",
                    "lines": [], "plans": [], "entries": 0, "seller": {"name": "LMO", "address": [], "country": "DE"},
                    "buyer": {"name": "acme", "email": "buyer@example.com"}, "subtotal": "49", "total": "49", "due": "49",
                    "tax": {"name": "", "rate": "0", "amount": "0"}, "created_at": now, "finalised_at": now,
                    "due_at": now.after(Duration::from_hours(24)), "version": 1,
                }))
                .unwrap();
                let mut change = Change::new(platform.table());
                payments::begin(&mut change, &mut invoice, now).unwrap();
                let partition = platform.table().tenant(id).invoices();
                change.put_new(&partition, &keys::invoice(invoice.id), &invoice).unwrap();
                change.commit().await.unwrap().or(|| panic!("it is new")).unwrap();
                invoices.push(invoice.id.to_string());
            }
        })
        .await;
        let desk = Desk::of(setup).await;
        let url = format!("{}/webhooks/stripe", desk.lmo.base);
        bank.tell(Some(Hook { url, secret: WEBHOOK_SECRET.to_owned() }));
        Self { bank, desk, tenant, key, invoices }
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        self.desk.lmo.send(method, path, &self.key, body).await
    }

    /// What the operator does with an invoice, once.
    async fn operate(&self, invoice: &str, what: &str, body: &Value, once: &str) -> Response {
        let url = format!("{}/api/admin/billing/tenants/{}/invoices/{invoice}/{what}", self.desk.lmo.base, self.tenant);
        let request = self.desk.lmo.client.post(url).header("authorization", format!("Bearer {}", self.desk.token));
        let request = request.header("content-type", "application/json").header("idempotency-key", once);
        Response::read(request.body(body.to_string()).send().await.unwrap()).await
    }

    /// What a browser asks of Stripe with a secret that it was given.
    async fn confirm(&self, client_secret: &str, card: &str) -> Value {
        let id = client_secret.split("_secret").next().unwrap();
        let kind = if id.starts_with("seti_") { "setup_intents" } else { "payment_intents" };
        let url = format!("{}/v1/{kind}/{id}/confirm", self.bank.origin());
        let form = format!("payment_method={card}&return_url=https://example.com");
        let request = self.desk.lmo.client.post(url).bearer_auth(SECRET_KEY);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
    }

    async fn set_card(&self, card: &str) {
        let begun = self.send("POST", METHOD, Some(&json!({}))).await;
        assert_eq!(begun.status, 201, "{}", begun.body);
        assert_eq!(begun.json()["publishable_key"], "pk_test_of_the_deployment");
        let confirmed = self.confirm(begun.json()["client_secret"].as_str().unwrap(), card).await;
        if confirmed["status"] == "requires_action" {
            self.bank.authenticate(confirmed["id"].as_str().unwrap(), true).await.unwrap();
        }
        self.until(METHOD, |shown| shown["payment_method"].is_object()).await;
    }

    /// Waits until what is shown is so.
    async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            let shown = self.send("GET", path, None).await.json();
            if is_so(&shown) {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} never was so: {}", self.send("GET", path, None).await.body)
    }

    async fn pay(&self, invoice: &str) -> Response {
        self.send("POST", &format!("/api/billing/invoices/{invoice}/pay"), None).await
    }

    async fn invoice(&self, invoice: &str) -> Value {
        self.send("GET", &format!("/api/billing/invoices/{invoice}"), None).await.json()
    }
}

fn store_keys(setup: &Setup, origin: &str) -> Value {
    let dir = setup.data_dir();
    std::fs::create_dir_all(&dir).unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, format!("{text}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (secret, webhook) = (file("sk.txt", SECRET_KEY), file("whsec.txt", WEBHOOK_SECRET));
    setup.run(&[
        "billing",
        "stripe",
        "--secret-key-file",
        &secret,
        "--webhook-secret-file",
        &webhook,
        "--publishable-key",
        "pk_test_of_the_deployment",
        "--api-base",
        origin,
    ])
}

#[tokio::test]
async fn a_tenant_sets_a_card_up_and_pays_and_nobody_else_pays_for_it() {
    let world = World::new().await;
    let [first, second, _] = &world.invoices[..] else { panic!("three") };
    assert_eq!(world.send("GET", METHOD, None).await.json(), json!({}));
    world.pay(first).await.assert_error(409, "conflict");
    world.set_card("pm_card_visa").await;
    let shown = world.send("GET", METHOD, None).await.json();
    assert_eq!(
        (&shown["payment_method"]["brand"], &shown["payment_method"]["last4"]),
        (&json!("visa"), &json!("4242"))
    );
    // Of another tenant there is nothing to pay, and nothing to pay with.
    let other = &world.desk.lmo.key;
    let theirs = world.desk.lmo.send("POST", &format!("/api/billing/invoices/{first}/pay"), other, None).await;
    theirs.assert_error(404, "not_found");
    assert_eq!(world.desk.lmo.send("GET", METHOD, other, None).await.json(), json!({}));
    let paid = world.pay(first).await;
    assert_eq!((paid.status, &paid.json()["payment"]), (200, &json!("paid")), "{}", paid.body);
    world.pay(first).await.assert_error(409, "conflict");
    assert_eq!(world.invoice(first).await["payment"], "paid");
    let book = world.bank.book("invoice");
    assert_eq!((book[first].succeeded, book[first].charged["eur"]), (1, 4_900));
    assert!(!book.contains_key(second));
    assert_eq!(world.send("DELETE", METHOD, None).await.status, 204);
    assert_eq!(world.send("GET", METHOD, None).await.json(), json!({}));
    world.pay(second).await.assert_error(409, "conflict");
    for (path, body) in
        [(METHOD, json!({"card": "4242"})), ("/api/billing/credits", json!({"amount": 5, "currency": "EUR"}))]
    {
        world.send("POST", path, Some(&body)).await.assert_error(400, "invalid_request");
    }
    world.pay("inv_1").await.assert_error(404, "not_found");
}

#[tokio::test]
async fn a_bank_that_wants_the_buyer_is_told_by_the_buyers_browser() {
    let world = World::new().await;
    world.set_card("pm_card_authenticationRequired").await;
    let invoice = &world.invoices[0];
    let asked = world.pay(invoice).await.json();
    assert_eq!(asked["payment"], "action_required", "{asked}");
    let confirm = &asked["confirm"];
    let (secret, method) = (confirm["client_secret"].as_str().unwrap(), confirm["payment_method"].as_str().unwrap());
    assert_eq!(world.confirm(secret, method).await["status"], "requires_action");
    world.bank.authenticate(secret.split("_secret").next().unwrap(), true).await.unwrap();
    world.until(&format!("/api/billing/invoices/{invoice}"), |shown| shown["payment"] == "paid").await;
    assert_eq!(world.bank.book("invoice")[invoice].intents, 1);
}

#[tokio::test]
async fn only_stripe_is_heard() {
    let world = World::new().await;
    world.set_card("pm_card_visa").await;
    assert_eq!(world.pay(&world.invoices[0]).await.json()["payment"], "paid");
    let events = world.bank.objects("event");
    let event =
        events.iter().find(|event| event["type"] == "payment_intent.succeeded").unwrap()["id"].as_str().unwrap();
    for signature in [Signature::Wrong, Signature::Old, Signature::Missing] {
        assert_eq!(world.bank.deliver(event, signature).await.unwrap(), 400);
    }
    for _ in 0..2 {
        assert_eq!(world.bank.deliver(event, Signature::Right).await.unwrap(), 200);
    }
    let unsigned = world.desk.lmo.send("POST", "/webhooks/stripe", "", Some(&json!({"id": "evt_1"}))).await;
    unsigned.assert_error(400, "invalid_request");
    assert_eq!(world.bank.book("invoice")[&world.invoices[0]].charged["eur"], 4_900);
}

#[tokio::test]
async fn the_operator_notes_transfers_sends_money_back_and_gives_up() {
    let world = World::new().await;
    world.set_card("pm_card_visa").await;
    let [charged, noted, lost] = &world.invoices[..] else { panic!("three") };
    assert_eq!(world.pay(charged).await.json()["payment"], "paid");
    let back = json!({"amount": "10.00", "reason": "an outage"});
    let first = world.operate(charged, "refund", &back, "sorry-1").await;
    assert_eq!((first.status, &first.json()["refunded"]), (201, &json!("10")), "{}", first.body);
    let again = world.operate(charged, "refund", &back, "sorry-1").await;
    assert_eq!((again.status, again.body), (201, first.body));
    assert_eq!(world.bank.book("invoice")[charged].refunded["eur"], 1_000);
    let more = json!({"amount": "39.01", "reason": "an outage"});
    world.operate(charged, "refund", &more, "sorry-2").await.assert_error(400, "invalid_request");
    // Without a card transfers are waited for.
    world.send("DELETE", METHOD, None).await;
    let part = json!({"amount": "9.00", "reference": "transfer 4711"});
    let part = world.operate(noted, "payments", &part, "t-1").await;
    assert_eq!((part.status, &part.json()["open"]), (201, &json!("40")), "{}", part.body);
    for (amount, reference) in [("40.01", "transfer 4712"), ("0", "transfer 4712"), ("40", "")] {
        let wrong = json!({"amount": amount, "reference": reference});
        world.operate(noted, "payments", &wrong, &format!("w-{amount}")).await.assert_error(400, "invalid_request");
    }
    let rest = json!({"amount": "40.00", "reference": "transfer 4712"});
    assert_eq!(world.operate(noted, "payments", &rest, "t-2").await.status, 201);
    assert_eq!(world.invoice(noted).await["payment"], "paid");
    let given_up = world.operate(lost, "uncollectible", &json!({}), "u-1").await;
    assert_eq!((given_up.status, &given_up.json()["payment"]), (200, &json!("uncollectible")), "{}", given_up.body);
    world
        .operate("inv_01ARZ3NDEKTSV4RRFFQ69G5FAV", "uncollectible", &json!({}), "u-2")
        .await
        .assert_error(404, "not_found");
    let audit = world.send("GET", "/api/tenant/audit", None).await.body;
    for action in ["payment.succeed", "payment.refund", "payment.note", "invoice.give_up", "payment_method.set"] {
        assert!(audit.contains(action), "{action}: {audit}");
    }
}

#[tokio::test]
async fn credit_is_bought_once() {
    let world = World::new().await;
    let body = json!({"amount": "100.00", "currency": "EUR"});
    let url = format!("{}/api/billing/credits", world.desk.lmo.base);
    let buy = async || {
        let request = world.desk.lmo.client.post(&url).header("authorization", format!("Bearer {}", world.key));
        let request = request.header("content-type", "application/json").header("idempotency-key", "order-1");
        Response::read(request.body(body.to_string()).send().await.unwrap()).await
    };
    let bought = buy().await;
    assert_eq!(bought.status, 201, "{}", bought.body);
    assert_eq!(buy().await.body, bought.body);
    assert_eq!(world.bank.objects("payment_intent").len(), 1);
    let confirmed = world.confirm(bought.json()["client_secret"].as_str().unwrap(), "pm_card_visa").await;
    assert_eq!(confirmed["status"], "succeeded", "{confirmed}");
    let credits = world.until("/api/billing/credits", |shown| shown["credits"][0]["left"] == "100").await;
    assert_eq!((credits["credits"].as_array().unwrap().len(), &credits["credits"][0]["id"]), (1, &bought.json()["id"]));
}

#[test]
fn keys_that_are_none_are_refused_and_not_shown() {
    let setup = deployment();
    let stored = store_keys(&setup, "http://127.0.0.1:1");
    assert_eq!(stored, json!({"stored": true, "webhook": "http://127.0.0.1:8080/webhooks/stripe"}));
    assert_eq!(store_keys(&setup, "http://127.0.0.1:2")["stored"], true, "they are replaced");
    let file = setup.data_dir().join("bad.txt");
    std::fs::write(&file, "pk_test_that_is_none").unwrap();
    let file = file.to_str().unwrap();
    let refused = setup.output(&["billing", "stripe", "--secret-key-file", file, "--webhook-secret-file", file]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && error.contains("secret_key"), "{error}");
    assert!(!error.contains("pk_test_that_is_none"));
}
