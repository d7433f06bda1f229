//! Runs and the payments that follow them, dying again and again, while Stripe loses answers, keeps failures for good, tells
//! twice and in any order: everybody has one invoice, and each is charged once.

use std::future::pending;

use futures_util::{
    StreamExt,
    future::{join, join_all},
    stream,
};
use lmo_bench::stripe::{Fault, Mix, StripeOptions, StripeStandin};
use lmo_shared::{
    audit::Actor,
    billing::{
        Invoice, PaymentStatus,
        payments::Payments,
        run::{Begin, FOREVER, Others},
        stripe::{Event, StripeKeys},
    },
    clock::Clock,
    config::variable,
    id::TenantId,
    mail::{EmailAddress, Folder, Mailer},
    store::{Change, Committed, keys},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tempfile::TempDir;

use super::scene::{HOUR, Scene, october};

const TENANTS: usize = 500;
const KILLS: usize = 100;
const SECRET_KEY: &str = "sk_test_of_the_deployment";
/// Faults that are over before a client's patience is.
const FAULTS: [Fault; 8] = [
    Fault::Unreached,
    Fault::Lost,
    Fault::CutBody,
    Fault::Failed,
    Fault::FailedAfter,
    Fault::Late,
    Fault::RateLimited,
    Fault::Locked,
];

/// Stripe, and what LMO has there.
struct Bank {
    stripe: StripeStandin,
    payments: Payments,
    http: reqwest::Client,
    _mail: TempDir,
}

impl Bank {
    async fn open(scene: &Scene) -> Self {
        let stripe = StripeStandin::start(StripeOptions::default()).unwrap();
        let platform = scene.platform();
        let keys = StripeKeys {
            secret_key: SECRET_KEY.to_owned(),
            webhook_secret: "whsec_of_the_deployment".to_owned(),
            publishable_key: None,
            api_base: Some(stripe.origin()),
        };
        platform.stripe().secret().get_or_create(|| Ok(keys)).await.unwrap();
        let mail = TempDir::new().unwrap();
        let from = EmailAddress::parse("lmo@example.com").unwrap();
        let mailer = Mailer::Folder(Folder::new(mail.path().to_owned(), from, platform.clock().clone()));
        let payments = platform.payments(mailer);
        Self { stripe, payments, http: reqwest::Client::new(), _mail: mail }
    }

    /// Its clock shows what LMO's does.
    fn set(&self, scene: &Scene) {
        self.stripe.set_now(i64::try_from(scene.platform().clock().now().seconds()).unwrap());
    }

    /// A tenant sets a card up in its browser, and Stripe tells of it.
    async fn set_card(&self, scene: &Scene, tenant: TenantId) {
        let platform = scene.platform();
        let tenant = platform.tenants().get(tenant).await.unwrap();
        let mut change = Change::new(platform.table());
        let setup = self.payments.set_up(&mut change, &tenant, &Actor::command_line()).await.unwrap();
        assert_eq!(change.commit().await.unwrap(), Committed::Yes);
        let id = setup.client_secret.split("_secret").next().unwrap();
        let url = format!("{}/v1/setup_intents/{id}/confirm", self.stripe.origin());
        let form = "payment_method=pm_card_visa&return_url=https://example.com";
        let request = self.http.post(url).bearer_auth(SECRET_KEY).body(form);
        assert_eq!(request.send().await.unwrap().status(), 200);
        let event = serde_json::json!({
            "id": format!("evt_{id}"), "type": "setup_intent.succeeded", "data": {"object": {"id": id}},
        });
        self.payments.hear(&serde_json::from_value(event).unwrap()).await.unwrap();
        assert!(self.payments.method(tenant.id).await.unwrap().is_some());
    }

    /// Some of what Stripe has to tell, in any order, some of it again.
    fn news(&self, random: &mut StdRng, most: usize) -> Vec<Event> {
        let events = self.stripe.objects("event");
        let latest = &events[..events.len().min(200)];
        let some = (0..most.min(latest.len())).map(|_| latest[random.random_range(0..latest.len())].clone());
        some.map(|event| serde_json::from_value(event).unwrap()).collect()
    }
}

async fn invoices(scene: &Scene, tenant: TenantId) -> Vec<Invoice> {
    let partition = scene.platform().table().tenant(tenant).invoices();
    partition.begins_with(keys::INVOICE_PREFIX).collect().await.unwrap()
}

/// `LMO_KILL_SEED` plays a run again.
#[tokio::test]
async fn after_a_hundred_kills_and_whatever_stripe_does_each_invoice_is_charged_once() {
    let seed = variable("LMO_KILL_SEED").map_or_else(|| Clock::System.now().0, |seed| seed.parse().unwrap());
    eprintln!("LMO_KILL_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let scene = Scene::at("2035-11-02T00:00:00Z").await;
    let bank = Bank::open(&scene).await;
    let tenants = scene.plant(TENANTS).await;
    bank.set(&scene);
    stream::iter(&tenants).for_each_concurrent(16, |tenant| Box::pin(bank.set_card(&scene, *tenant))).await;
    bank.stripe.faults(Some(Mix { seed, percent: 20, faults: FAULTS.to_vec(), ms: 50 }));
    let mut kills = 0;
    while kills < KILLS {
        scene.die_after(random.random_range(0..200));
        let (runs, news) = (scene.runs(), bank.news(&mut random, 20));
        let bill = async {
            let begin = Begin { parts: Some(4), again: false };
            let Ok(run) = runs.begin(october(), begin, &Actor::system()).await else { return pending().await };
            join_all(run.parts().map(|part| runs.work(october(), part, Others::AreDead, FOREVER))).await;
        };
        let collect = async {
            // What it can't do for lack of a table is another's.
            let _ = bank.payments.run_due(FOREVER).await;
        };
        let hear = async {
            for event in &news {
                let _ = bank.payments.hear(event).await;
            }
        };
        // Together they are too large for a thread's stack.
        let work = join(Box::pin(bill), join(Box::pin(collect), Box::pin(hear)));
        kills += usize::from(scene.until_death(work).await.is_none());
        scene.live();
        if scene.runs().find(october()).await.unwrap().is_some_and(|run| run.finished_at.is_some()) {
            scene.runs().begin(october(), Begin { parts: None, again: true }, &Actor::system()).await.unwrap();
        }
        scene.advance(HOUR / 6);
        bank.set(&scene);
    }
    // All is well again: whoever is late is billed, and what was lost is known after an hour and tried again after days.
    bank.stripe.faults(None);
    scene.finish().await;
    for _ in 0..40 {
        bank.payments.run_due(FOREVER).await.unwrap();
        if scene.platform().table().collect().all::<Value>().collect().await.unwrap().is_empty() {
            break;
        }
        scene.advance(HOUR * 12);
        bank.set(&scene);
    }
    let asked = bank.stripe.asked();
    for status in [0, 200, 429, 500] {
        assert!(asked.iter().any(|asked| asked.status == status), "seed {seed}: nothing was answered by {status}");
    }
    assert!(asked.iter().any(|asked| asked.replayed), "seed {seed}: nothing was asked again");
    let book = bank.stripe.book("invoice");
    for tenant in tenants {
        let [invoice] = <[Invoice; 1]>::try_from(invoices(&scene, tenant).await).unwrap();
        assert_eq!((invoice.payment, invoice.paid), (PaymentStatus::Paid, invoice.due), "seed {seed}: {invoice:#?}");
        let paid = book.get(&invoice.id.to_string()).unwrap_or_else(|| panic!("seed {seed}: {invoice:#?}"));
        let cents = invoice.due.minor_units(invoice.currency).unwrap();
        assert_eq!((paid.succeeded, paid.processing), (1, 0), "seed {seed}: {paid:?}");
        assert_eq!((paid.charged["eur"], paid.refunded.len()), (cents, 0), "seed {seed}: {paid:?}");
    }
    assert_eq!(book.len(), TENANTS, "seed {seed}: something else was charged");
    scene.assert_everybody_has_one_invoice().await;
}
