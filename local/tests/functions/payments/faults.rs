//! Answers that are lost, errors that are kept, and workers that die: one attempt is one payment, and nobody is forgotten.

use std::{sync::Arc, time::Duration};

use lmo_bench::stripe::{Fault, Mix};
use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::{PaymentState, PaymentStatus},
    clock::Timestamp,
};
use serde_json::json;

use super::scene::{DAY, Scene, euros, text, told};

const AN_HOUR: Duration = Duration::from_hours(1);
const TEN_MINUTES: Duration = Duration::from_mins(10);

#[tokio::test]
async fn an_invoice_is_charged_once_however_often_it_is_collected() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    assert_eq!(scene.run().await.seen, 1);
    for _ in 0..3 {
        assert_eq!(scene.collect(invoice).await.payment, PaymentStatus::Paid);
    }
    let paid = scene.read(invoice).await;
    assert_eq!((paid.paid, paid.attempts, paid.collection.next), (euros("49"), 1, None));
    let [payment] = scene.attempts(invoice).await.try_into().unwrap();
    assert_eq!((payment.status, payment.amount), (PaymentState::Succeeded, euros("49")));
    let [intent] = scene.intents(None).try_into().unwrap();
    assert_eq!((text(&intent["id"]), &intent["amount"]), (payment.reference.as_deref().unwrap(), &json!(4_900)));
    assert_eq!(intent["metadata"], json!({"tenant": scene.id(), "invoice": invoice, "attempt": "1"}));
    assert_eq!((scene.announced().await, scene.listed().await), (vec!["invoice.paid".to_owned()], 0));
    assert_eq!(scene.audited("payment.").await, ["payment.succeed"]);
    assert_eq!(scene.letters(), ["Invoice LMO-2026-10"]);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again_under_the_same_key() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.lose_answers(3);
    let collected = scene.collect(invoice).await;
    assert_eq!((collected.payment, collected.next), (PaymentStatus::Pending, Some(scene.now().after(TEN_MINUTES))));
    assert_eq!(scene.attempts(invoice).await[0].status, PaymentState::Begun);
    scene.wait(TEN_MINUTES);
    assert_eq!(scene.run().await.seen, 1);
    assert_eq!((scene.status(invoice).await, scene.intents(None).len()), (PaymentStatus::Paid, 1));
}

#[tokio::test]
async fn an_error_that_stripe_keeps_for_ever_is_looked_behind() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.go_wrong(Fault::FailedAfter, "/v1/payment_intents", 1);
    assert_eq!(scene.collect(invoice).await.payment, PaymentStatus::Paid, "it was done, and is found");
    assert_eq!((scene.intents(None).len(), scene.attempts(invoice).await.len()), (1, 1));
}

#[tokio::test]
async fn an_error_before_anything_was_done_is_known_after_an_hour() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.go_wrong(Fault::Failed, "/v1/payment_intents", 1);
    assert_eq!(scene.collect(invoice).await.payment, PaymentStatus::Pending);
    scene.wait(AN_HOUR);
    assert_eq!(scene.run().await.failed, 0);
    let [lost] = scene.attempts(invoice).await.try_into().unwrap();
    assert_eq!((lost.status, lost.failure.as_deref()), (PaymentState::Failed, Some("lost")));
    scene.wait(3 * DAY);
    scene.run().await;
    assert_eq!((scene.status(invoice).await, scene.intents(None).len()), (PaymentStatus::Paid, 1));
    assert_eq!(scene.attempts(invoice).await.len(), 2);
}

#[tokio::test]
async fn a_day_later_it_is_looked_for_before_anything_is_tried() {
    let scene = Scene::with_card("pm_card_visa").await;
    let (done, never) = (scene.invoice("2026-09", "49.00").await, scene.invoice("2026-10", "50.00").await);
    scene.lose_answers(3);
    scene.collect(done).await;
    scene.lose_requests(3);
    scene.collect(never).await;
    assert_eq!(scene.intents(None).len(), 1);
    scene.wait(DAY + AN_HOUR);
    scene.run().await;
    assert_eq!((scene.status(done).await, scene.attempts(done).await.len()), (PaymentStatus::Paid, 1));
    assert_eq!(scene.attempts(never).await[0].failure.as_deref(), Some("lost"));
    scene.wait(3 * DAY);
    scene.run().await;
    assert_eq!((scene.charged(done).await, scene.charged(never).await), (4_900, 5_000));
}

#[tokio::test]
async fn a_webhook_that_comes_before_the_answer_is_believed() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.lose_answers(3);
    scene.collect(invoice).await;
    let [intent] = scene.intents(None).try_into().unwrap();
    scene.payments.hear(&told("payment_intent.succeeded", &intent)).await.unwrap();
    let paid = scene.read(invoice).await;
    assert_eq!((paid.payment, paid.paid, paid.collection.next), (PaymentStatus::Paid, euros("49"), None));
    scene.wait(AN_HOUR);
    scene.run().await;
    assert_eq!((scene.intents(None).len(), scene.audited("payment.").await.len()), (1, 1));
}

#[tokio::test]
async fn while_stripe_is_slow_or_away_nothing_is_lost() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.lose_requests(3);
    assert_eq!(scene.collect(invoice).await.payment, PaymentStatus::Pending);
    scene.wait(TEN_MINUTES);
    scene.run().await;
    assert_eq!((scene.status(invoice).await, scene.attempts(invoice).await.len()), (PaymentStatus::Paid, 1));
}

#[tokio::test]
async fn several_workers_charge_each_invoice_once() {
    let scene = Scene::with_card("pm_card_visa").await;
    let mut invoices = Vec::new();
    for month in 1..=12 {
        invoices.push(scene.invoice(&format!("2025-{month:02}"), "10.00").await);
    }
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.run().await })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    // What they were at with each other is left until its claim is over.
    scene.wait(AN_HOUR);
    scene.run().await;
    for invoice in invoices {
        assert_eq!((scene.status(invoice).await, scene.charged(invoice).await), (PaymentStatus::Paid, 1_000));
    }
    assert_eq!((scene.intents(None).len(), scene.listed().await), (12, 0));
}

/// The worker dies behind each of its writes and readings in turn.
#[tokio::test]
async fn wherever_a_worker_dies_the_invoice_is_paid_once() {
    let scene = Scene::with_card("pm_card_visa").await;
    let mut survived = 0;
    for requests in 0..60 {
        let (year, month) = (2000 + requests / 12, 1 + requests % 12);
        let invoice = scene.invoice(&format!("{year}-{month:02}"), "10.00").await;
        *scene.ground.left.lock().unwrap() = Some(usize::try_from(requests).unwrap());
        let until: Timestamp = scene.now().after(AN_HOUR);
        survived += u32::from(scene.payments.run_due(until).await.is_ok_and(|ran| ran.failed == 0));
        *scene.ground.left.lock().unwrap() = None;
        scene.wait(AN_HOUR);
        scene.run().await;
        let paid = scene.read(invoice).await;
        assert_eq!((paid.payment, paid.paid, paid.attempts), (PaymentStatus::Paid, euros("10"), 1), "{requests}");
        assert_eq!((scene.charged(invoice).await, scene.listed().await), (1_000, 0), "{requests}");
    }
    assert!((1..60).contains(&survived), "{survived} were through");
}

/// A third of all requests goes wrong, each in its own way, and the clock runs on.
#[tokio::test]
async fn whatever_goes_wrong_at_stripe_every_invoice_is_paid_once_and_none_is_forgotten() {
    let scene = Scene::with_card("pm_card_visa").await;
    let mut invoices = Vec::new();
    for number in 0..48 {
        invoices.push(scene.invoice(&format!("{}-{:02}", 2020 + number / 12, 1 + number % 12), "10.00").await);
    }
    let faults = [Fault::Unreached, Fault::Lost, Fault::CutBody, Fault::Failed, Fault::FailedAfter, Fault::RateLimited];
    scene.bank.faults(Some(Mix { seed: 7, percent: 33, faults: [&faults[..], &[Fault::Locked]].concat(), ms: 1 }));
    for hours in [0, 1, 2, 30, 24 * 3, 24 * 4, 24 * 7] {
        scene.wait(AN_HOUR * hours);
        scene.run().await;
    }
    scene.bank.faults(None);
    scene.wait(DAY);
    scene.run().await;
    for invoice in invoices {
        let paid = scene.read(invoice).await;
        assert_eq!((paid.payment, paid.paid, paid.refunded), (PaymentStatus::Paid, euros("10"), euros("0")));
        assert_eq!(scene.charged(invoice).await, 1_000);
    }
    assert_eq!((scene.listed().await, scene.tenant_status().await), (0, lmo_shared::tenant::Status::Active));
}

#[tokio::test]
async fn an_invoice_is_not_void_while_something_may_come_of_an_attempt() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.lose_requests(3);
    assert_eq!(scene.collect(invoice).await.payment, PaymentStatus::Pending);
    let (invoices, actor) = (scene.ground.platform.invoices(), Actor::command_line());
    let refused = invoices.void(scene.id(), invoice, IfMatch::Any, "by mistake", &actor).await.unwrap_err();
    assert_eq!(refused.code(), "conflict");
    scene.wait(TEN_MINUTES);
    scene.run().await;
    assert_eq!(scene.status(invoice).await, PaymentStatus::Paid);
}

#[tokio::test]
async fn an_attempt_that_stripe_never_saw_is_not_made_when_nothing_is_owed_any_more() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.lose_requests(3);
    scene.collect(invoice).await;
    scene.note(invoice, "49.00").await.unwrap();
    for _ in 0..9 {
        scene.wait(TEN_MINUTES);
        scene.run().await;
    }
    let states: Vec<_> = scene.attempts(invoice).await.iter().map(|payment| payment.status).collect();
    assert_eq!(states, [PaymentState::Failed, PaymentState::Succeeded]);
    assert_eq!(
        (scene.status(invoice).await, scene.intents(None).len(), scene.listed().await),
        (PaymentStatus::Paid, 0, 0)
    );
}

#[tokio::test]
async fn an_invoice_is_paid_though_no_mail_can_be_sent_and_its_letter_is_sent_later() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    let silent = scene.ground.platform.payments(scene.ground.broken_mailer());
    let collected = silent.collect(scene.id(), invoice).await.unwrap();
    assert_eq!((collected.payment, collected.next), (PaymentStatus::Paid, Some(scene.now().after(TEN_MINUTES))));
    assert!(scene.letters().is_empty());
    scene.wait(TEN_MINUTES);
    scene.run().await;
    assert_eq!((scene.letters().len(), scene.listed().await), (1, 0));
}
