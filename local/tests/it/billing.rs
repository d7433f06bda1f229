//! From plans to money: what an operator does on a new platform, and what becomes of its tenants' first month.

use std::time::Duration;

use lmo_bench::stripe::{Fault, Hook, Rule, StripeOptions, StripeStandin};
use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::{Amount, Currency, Profile},
    llm::catalogue::Catalogue,
    platform::Platform,
    tenant::Tenant,
    usage::Expired,
};

use crate::{
    billing_runs::seed::{in_place, month},
    month::{MODELS, ask, set},
    operators::{Desk, deployment},
    support::{Response, Value, json, mails},
};

const SECRET_KEY: &str = "sk_test_of_the_deployment";
const WEBHOOK_SECRET: &str = "whsec_of_the_deployment";
/// The examples that ship; only that whoever signs up is on a plan that costs something.
const PLANS: &str = include_str!("../../../plans.toml");
const SETTINGS: &str = include_str!("../../../billing.toml");

/// A tenant of the month, and its key.
struct Buyer {
    tenant: String,
    key: String,
    email: String,
}

/// A platform that has sold, and who bought.
struct Journey {
    bank: StripeStandin,
    desk: Desk,
    buyers: [Buyer; 2],
}

impl Journey {
    /// The commands of the first day, a month that two tenants use the platform in, and the commands of the day after it.
    async fn new() -> Self {
        let (bank, setup) = (StripeStandin::start(StripeOptions::default()).unwrap(), deployment());
        std::fs::create_dir_all(setup.data_dir()).unwrap();
        let file = |name: &str, text: &str| {
            let path = setup.data_dir().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let settings = SETTINGS.replace("default_plan = \"free\"", "default_plan = \"team\"");
        let (plans, settings) = (file("plans.toml", PLANS), file("billing.toml", &settings));
        let (secret, webhook) = (file("sk.txt", SECRET_KEY), file("whsec.txt", WEBHOOK_SECRET));
        setup.run(&["plans", "apply", &plans, "--effective", &month().start().to_string()]);
        setup.run(&["billing", "settings", "apply", &settings]);
        let keys = ["billing", "stripe", "--secret-key-file", &secret, "--webhook-secret-file", &webhook];
        setup.run(&[&keys[..], &["--api-base", &bank.origin()]].concat());
        let mut buyers = Vec::new();
        in_place(&setup.data_dir(), async |platform| {
            for name in ["first", "second"] {
                buyers.push(use_it(platform, name).await);
            }
            set(platform.clock(), month().end().after(Duration::from_hours(3)));
            platform.sweeper().sweep(Expired::ByDeadline).await.unwrap();
        })
        .await;
        let month = month().to_string();
        let run = setup.run(&["billing", "run", "--period", &month]);
        assert_eq!((&run["status"], &run["counts"]["finalised"]), (&json!("finished"), &json!(2)), "{run:#}");
        let books = setup.run(&["billing", "reconcile", "--tenant", &buyers[0].tenant, "--period", &month]);
        assert_eq!(books["agree"], true, "{books:#}");
        let desk = Desk::of(setup).await;
        let url = format!("{}/webhooks/stripe", desk.lmo.base);
        bank.tell(Some(Hook { url, secret: WEBHOOK_SECRET.to_owned() }));
        Self { bank, desk, buyers: buyers.try_into().unwrap_or_else(|_| panic!("two")) }
    }

    async fn send(&self, method: &str, path: &str, buyer: &Buyer, body: Option<&Value>) -> Response {
        self.desk.lmo.send(method, path, &buyer.key, body).await
    }

    /// A tenant's invoice of the month.
    async fn invoice(&self, buyer: &Buyer) -> Value {
        let listed = self.send("GET", "/api/billing/invoices", buyer, None).await.json();
        let invoices = listed["invoices"].as_array().unwrap();
        let of_month: Vec<_> = invoices.iter().filter(|one| one["period"] == month().to_string()).collect();
        assert_eq!(of_month.len(), 1, "{listed:#}");
        let path = format!("/api/billing/invoices/{}", of_month[0]["id"].as_str().unwrap());
        self.send("GET", &path, buyer, None).await.json()
    }

    /// A tenant's browser sets a card up.
    async fn set_card(&self, buyer: &Buyer, card: &str) {
        let method = "/api/billing/payment-method";
        let begun = self.send("POST", method, buyer, Some(&json!({}))).await.json();
        let id = begun["client_secret"].as_str().unwrap().split("_secret").next().unwrap().to_owned();
        let url = format!("{}/v1/setup_intents/{id}/confirm", self.bank.origin());
        let form = format!("payment_method={card}&return_url=https://example.com");
        let confirmed = self.desk.lmo.client.post(url).bearer_auth(SECRET_KEY).body(form).send().await.unwrap();
        assert_eq!(confirmed.status(), 200);
        until(|| async {
            let shown = self.send("GET", method, buyer, None).await.json();
            shown["payment_method"].is_object().then_some(())
        })
        .await;
    }

    async fn pay(&self, buyer: &Buyer, invoice: &Value) -> Response {
        let path = format!("/api/billing/invoices/{}/pay", invoice["id"].as_str().unwrap());
        self.send("POST", &path, buyer, None).await
    }

    /// What the operator does with an invoice.
    async fn operate(&self, invoice: &Value, what: &str, body: &Value) -> Response {
        let (tenant, invoice) = (invoice["tenant"].as_str().unwrap(), invoice["id"].as_str().unwrap());
        let url = format!("{}/api/admin/billing/tenants/{tenant}/invoices/{invoice}/{what}", self.desk.lmo.base);
        let request = self.desk.lmo.client.post(url).bearer_auth(&self.desk.token).header("idempotency-key", what);
        let request = request.header("content-type", "application/json").body(body.to_string());
        Response::read(request.send().await.unwrap()).await
    }
}

/// A tenant signs up with the month and asks for a million tokens just before its end.
async fn use_it(platform: &Platform, name: &str) -> Buyer {
    let (start, actor) = (month().start(), Actor::command_line());
    set(platform.clock(), start);
    let prices = platform.catalogues().apply(Catalogue::from_toml(MODELS, start).unwrap()).await.unwrap();
    let tenant = Tenant::new(name, start);
    let key = platform.tenants().open(&tenant, &actor).await.unwrap().text;
    let email = format!("{name}@example.com");
    let profile = json!({"name": name, "address": ["Straße 1", "10115 Berlin"], "country": "DE", "email": email});
    let profile: Profile = serde_json::from_value(profile).unwrap();
    platform.buyers().put(tenant.id, IfMatch::Any, &profile, &actor, start).await.unwrap();
    set(platform.clock(), month().end().before(Duration::from_hours(5)));
    ask(platform, tenant.id, prices, 1_000_000).await;
    Buyer { tenant: tenant.id.to_string(), key, email }
}

/// What is due: the fee of 49 for what is left of the month behind the trial, and 19 % tax. A million tokens each way, for 1
/// and 2 dollars and 15 % on it, are less than what is included, and so is the one member.
fn cents() -> i64 {
    let days = i64::try_from(month().end().since(month().start()).as_secs() / 86_400).unwrap();
    let fee = (2 * 4_900 * (days - 14) + days) / (2 * days);
    fee + (fee * 19 + 50) / 100
}

/// Waits until there is something.
async fn until<T, F: Future<Output = Option<T>>>(look: impl Fn() -> F) -> T {
    for _ in 0..600 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not come to be")
}

#[tokio::test]
async fn a_month_is_sold_billed_paid_and_partly_given_back() {
    let journey = Journey::new().await;
    let Journey { bank, desk, buyers: [first, second] } = &journey;
    let invoice = journey.invoice(first).await;
    assert_eq!((&invoice["status"], &invoice["currency"]), (&json!("finalised"), &json!("EUR")), "{invoice:#}");
    assert_eq!(invoice["buyer"]["name"], "first");
    let due = Amount::parse(invoice["due"].as_str().unwrap()).unwrap();
    assert_eq!(due.minor_units(Currency::parse("EUR").unwrap()), Some(cents()), "{invoice:#}");
    let id = invoice["id"].as_str().unwrap();
    let as_file = async |format: &str| {
        let path = format!("/api/billing/invoices/{id}?format={format}");
        journey.send("GET", &path, first, None).await
    };
    let csv = as_file("csv").await;
    assert!(csv.header("content-type").starts_with("text/csv"), "{}", csv.body);
    assert!(csv.body.contains(invoice["number"].as_str().unwrap()), "{}", csv.body);
    let pdf = as_file("pdf").await;
    assert_eq!((pdf.status, pdf.header("content-type")), (200, "application/pdf"));
    assert!(pdf.body.starts_with("%PDF-"));
    let theirs = journey.send("GET", &format!("/api/billing/invoices/{id}"), second, None).await;
    theirs.assert_error(404, "not_found");

    // Stripe's answers are lost; what it tells is enough.
    journey.set_card(first, "pm_card_visa").await;
    bank.fault(Rule { times: 9, ..Rule::next(Fault::Lost).at("POST", "/v1/payment_intents") });
    let paying = journey.pay(first, &invoice).await;
    assert!(paying.status == 200 || paying.body.contains("conflict"), "{}", paying.body);
    until(|| async { (journey.invoice(first).await["payment"] == "paid").then_some(()) }).await;
    bank.faults(None);
    let paid = &bank.book("invoice")[id];
    assert_eq!((paid.intents, paid.succeeded, paid.charged["eur"]), (1, 1, cents()), "{paid:?}");

    let back = json!({"amount": "10.00", "reason": "an outage"});
    let back = journey.operate(&invoice, "refund", &back).await;
    assert_eq!((back.status, &back.json()["refunded"]), (201, &json!("10")), "{}", back.body);
    assert_eq!(bank.book("invoice")[id].refunded["eur"], 1_000);

    // Whose card is declined is told so, and may pay by transfer.
    let invoice = journey.invoice(second).await;
    journey.set_card(second, "pm_card_chargeCustomerFail").await;
    let declined = journey.pay(second, &invoice).await;
    assert_eq!((declined.status, &declined.json()["payment"]), (200, &json!("failed")), "{}", declined.body);
    let again = journey.pay(second, &invoice).await;
    again.assert_error(429, "too_many_attempts");
    assert!(again.header("retry-after").parse::<u64>().unwrap() <= 60);
    let number = invoice["number"].as_str().unwrap();
    let wrote = |mail: &String| mail.contains(number);
    let letters =
        until(|| async { Some(mails(&desk.setup, &second.email)).filter(|mails| mails.iter().any(wrote)) }).await;
    assert!(mails(&desk.setup, &first.email).iter().all(|mail| !mail.contains(number)), "{letters:?}");
    let transfer = json!({"amount": invoice["due"], "reference": "transfer 4711"});
    let noted = journey.operate(&invoice, "payments", &transfer).await;
    assert_eq!(noted.status, 201, "{}", noted.body);
    assert_eq!(journey.invoice(second).await["payment"], "paid");
    assert_eq!(bank.book("invoice")[invoice["id"].as_str().unwrap()].succeeded, 0);
}
