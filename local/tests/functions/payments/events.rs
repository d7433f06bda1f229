//! What Stripe tells: twice, late, in any order, and of things that are not ours.

use std::sync::Arc;

use lmo_shared::billing::{PaymentStatus, payments::Heard};
use serde_json::json;

use super::scene::{DAY, Scene, euros, told};

#[tokio::test]
async fn what_is_told_twice_or_in_the_wrong_order_changes_nothing() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.collect(invoice).await;
    let before = scene.read(invoice).await;
    let [intent] = scene.intents(None).try_into().unwrap();
    let mut failed = intent.clone();
    failed["status"] = json!("requires_payment_method");
    let event = told("payment_intent.payment_failed", &failed);
    for event in
        [&event, &event, &told("payment_intent.processing", &failed), &told("payment_intent.succeeded", &intent)]
    {
        assert_eq!(scene.payments.hear(event).await.unwrap(), Heard::Known);
    }
    assert_eq!(scene.read(invoice).await, before);
    assert_eq!(scene.audited("payment.").await, ["payment.succeed"]);
}

#[tokio::test]
async fn the_same_event_at_once_has_one_effect() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.lose_answers(3);
    scene.collect(invoice).await;
    let [intent] = scene.intents(None).try_into().unwrap();
    let event = Arc::new(told("payment_intent.succeeded", &intent));
    let hearing: Vec<_> = (0..8)
        .map(|_| {
            let (scene, event) = (Arc::clone(&scene), Arc::clone(&event));
            tokio::spawn(async move { scene.payments.hear(&event).await.unwrap() })
        })
        .collect();
    for heard in hearing {
        assert_eq!(heard.await.unwrap(), Heard::Known);
    }
    assert_eq!(scene.read(invoice).await.paid, euros("49"));
    assert_eq!((scene.audited("payment.").await.len(), scene.announced().await.len()), (1, 1));
}

#[tokio::test]
async fn what_is_not_ours_is_ignored() {
    let scene = Scene::with_card("pm_card_visa").await;
    let foreign = scene.ask("POST", "/v1/payment_intents", "amount=500&currency=eur").await;
    let unknown = format!(
        "amount=500&currency=eur&metadata[tenant]={}&metadata[invoice]=inv_01ARZ3NDEKTSV4RRFFQ69G5FAV&metadata[attempt]=1",
        scene.id()
    );
    let unknown = scene.ask("POST", "/v1/payment_intents", &unknown).await;
    let mut connected = told("payment_intent.succeeded", &foreign);
    connected.account = Some("acct_1".to_owned());
    for event in [
        told("payment_intent.succeeded", &foreign),
        told("payment_intent.succeeded", &unknown),
        told("payment_intent.succeeded", &json!({"id": "pi_of_another_account"})),
        told("payment_intent.succeeded", &json!({})),
        told("charge.refunded", &json!({"id": "ch_1", "payment_intent": null})),
        told("setup_intent.succeeded", &json!({"id": "seti_of_another_account"})),
        told("payment_method.detached", &json!({"id": "pm_1"})),
        told("customer.created", &json!({"id": "cus_1"})),
        connected,
    ] {
        assert_eq!(scene.payments.hear(&event).await.unwrap(), Heard::Ignored, "{}", event.kind);
    }
}

#[tokio::test]
async fn a_dispute_is_in_the_audit_log_once() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.collect(invoice).await;
    let reference = scene.attempts(invoice).await[0].reference.clone();
    let event =
        told("charge.dispute.created", &json!({"id": "du_1", "reason": "fraudulent", "payment_intent": reference}));
    for _ in 0..2 {
        assert_eq!(scene.payments.hear(&event).await.unwrap(), Heard::Known);
    }
    assert_eq!(scene.audited("payment.dispute").await.len(), 1);
    assert_eq!(scene.status(invoice).await, PaymentStatus::Paid);
}

#[tokio::test]
async fn the_method_that_was_set_up_last_stays_whatever_is_told_late() {
    let scene = Scene::with_card("pm_card_visa").await;
    let early = scene.set_up("pm_card_mastercard").await;
    scene.wait(DAY);
    let last = scene.set_card("pm_card_amex").await;
    scene.payments.hear(&told("setup_intent.succeeded", &json!({"id": early}))).await.unwrap();
    let method = scene.payments.method(scene.id()).await.unwrap().unwrap();
    assert_eq!((method.id.clone(), method.kind.as_str(), method.brand.as_deref()), (last, "card", Some("amex")));
    assert_eq!(scene.audited("payment_method.set").await.iter().filter(|one| *one == "payment_method.set").count(), 2);
    let wallet = lmo_shared::store::keys::WALLET;
    let main = scene.ground.platform.table().tenant(scene.id()).main();
    let wallet: lmo_shared::billing::Wallet = main.find(wallet).await.unwrap().unwrap();
    let mut gone = told("payment_method.detached", &json!({"id": method.id}));
    gone.data.previous_attributes = json!({"customer": wallet.customer});
    // It is told, and isn't true.
    scene.payments.hear(&gone).await.unwrap();
    assert!(scene.payments.method(scene.id()).await.unwrap().is_some());
    scene.ask("POST", &format!("/v1/payment_methods/{}/detach", method.id), "").await;
    scene.payments.hear(&gone).await.unwrap();
    assert!(scene.payments.method(scene.id()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_method_that_is_taken_away_is_charged_no_more() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.payments.remove_method(scene.id(), &lmo_shared::audit::Actor::command_line()).await.unwrap();
    scene.payments.remove_method(scene.id(), &lmo_shared::audit::Actor::command_line()).await.unwrap();
    assert_eq!(scene.collect(invoice).await.payment, PaymentStatus::Pending);
    assert_eq!(scene.payments.pay(scene.id(), invoice).await.err().unwrap().code(), "conflict");
    scene.wait(DAY);
    assert_eq!((scene.run().await.seen, scene.intents(None).len()), (0, 0));
}
