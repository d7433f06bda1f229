//! Transfers, what was paid too much, and what goes back.

use std::time::Duration;

use lmo_bench::stripe::Fault;
use lmo_shared::{
    billing::{InvoiceStatus, Method, PaymentState, PaymentStatus, RefundState},
    error::Error,
};
use serde_json::json;

use super::scene::{DAY, Scene, euros, text, told};

#[tokio::test]
async fn transfers_are_noted_in_parts_and_never_more_than_is_open() {
    let scene = Scene::new().await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.note(invoice, "9.00").await.unwrap();
    assert_eq!(scene.status(invoice).await, PaymentStatus::Pending);
    for (amount, problem) in [("40.01", "amount"), ("0", "amount"), ("-1", "amount"), ("0.001", "amount")] {
        let refused = scene.note(invoice, amount).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid { param, .. } if param == problem), "{amount}");
    }
    scene.note(invoice, "40.00").await.unwrap();
    assert_eq!((scene.status(invoice).await, scene.read(invoice).await.paid), (PaymentStatus::Paid, euros("49")));
    assert!(scene.note(invoice, "0.01").await.is_err());
    assert_eq!(scene.audited("payment.").await, ["payment.note", "payment.note"]);
    let methods: Vec<_> = scene.attempts(invoice).await.iter().map(|one| (one.attempt, one.method)).collect();
    assert_eq!(methods, [(1, Method::Manual), (2, Method::Manual)]);
}

#[tokio::test]
async fn what_a_transfer_left_open_is_charged() {
    let scene = Scene::new().await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.note(invoice, "9.00").await.unwrap();
    scene.set_card("pm_card_visa").await;
    assert_eq!(scene.payments.pay(scene.id(), invoice).await.unwrap().0.payment, PaymentStatus::Paid);
    assert_eq!(scene.charged(invoice).await, 4_000);
}

#[tokio::test]
async fn what_comes_twice_goes_back() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.lose_answers(3);
    scene.collect(invoice).await;
    scene.note(invoice, "40.00").await.unwrap();
    scene.wait(Duration::from_mins(10));
    scene.run().await;
    let paid = scene.read(invoice).await;
    assert_eq!((paid.payment, paid.paid, paid.refunded), (PaymentStatus::Paid, euros("89"), euros("40")));
    assert_eq!((scene.charged(invoice).await, scene.listed().await), (900, 0));
}

#[tokio::test]
async fn what_comes_for_a_void_invoice_goes_back() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.lose_answers(3);
    scene.collect(invoice).await;
    scene.change(invoice, |invoice| invoice.status = InvoiceStatus::Void).await;
    scene.run().await;
    assert_eq!((scene.charged(invoice).await, scene.listed().await), (0, 0));
}

#[tokio::test]
async fn money_goes_back_once_and_never_more_than_came() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.collect(invoice).await;
    scene.refund(invoice, "10.00").await.unwrap();
    scene.go_wrong(Fault::Lost, "/v1/refunds", 3);
    scene.collect(invoice).await;
    assert_eq!(scene.attempts(invoice).await[0].refunds[0].status, RefundState::Begun);
    for wait in [Duration::from_mins(10), DAY] {
        scene.wait(wait);
        scene.run().await;
        assert_eq!(scene.charged(invoice).await, 3_900);
    }
    let payment = scene.attempts(invoice).await.swap_remove(0);
    assert_eq!((payment.refunds[0].status, payment.refunded), (RefundState::Succeeded, euros("10")));
    assert!(payment.refunds[0].reference.as_deref().is_some_and(|id| id.starts_with("re_")));
    assert!(scene.refund(invoice, "39.01").await.is_err());
    scene.refund(invoice, "39.00").await.unwrap();
    scene.run().await;
    assert_eq!((scene.charged(invoice).await, scene.status(invoice).await), (0, PaymentStatus::Paid));
    assert!(scene.refund(invoice, "0.01").await.is_err());
}

#[tokio::test]
async fn of_a_transfer_the_operator_sends_back_by_hand() {
    let scene = Scene::new().await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.note(invoice, "49.00").await.unwrap();
    scene.refund(invoice, "9.00").await.unwrap();
    scene.run().await;
    let payment = scene.attempts(invoice).await.swap_remove(0);
    assert_eq!((payment.refunds[0].status, payment.status), (RefundState::Succeeded, PaymentState::Succeeded));
    assert_eq!((scene.read(invoice).await.refunded, scene.listed().await), (euros("9"), 0));
}

#[tokio::test]
async fn what_is_sent_back_at_stripe_is_noted_when_it_is_told() {
    let scene = Scene::with_card("pm_card_visa").await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.collect(invoice).await;
    let reference = scene.attempts(invoice).await[0].reference.clone().unwrap();
    let refund = scene.ask("POST", "/v1/refunds", &format!("payment_intent={reference}&amount=700")).await;
    let event = told("charge.refunded", &json!({"id": "ch_1", "payment_intent": reference}));
    for _ in 0..2 {
        scene.payments.hear(&event).await.unwrap();
    }
    scene.payments.hear(&told("refund.updated", &refund)).await.unwrap();
    let payment = scene.attempts(invoice).await.swap_remove(0);
    assert_eq!((payment.refunded, payment.refunds.len()), (euros("7"), 1));
    assert_eq!(payment.refunds[0].reference.as_deref(), Some(text(&refund["id"])));
    assert_eq!(scene.audited("payment.refunded").await.len(), 1);
}

#[tokio::test]
async fn currencies_with_none_two_and_three_decimals_are_charged_as_stripe_has_them() {
    let scene = Scene::with_card("pm_card_visa").await;
    for (month, currency, amount, units, paid) in [
        ("2026-01", "JPY", "4900", 4_900, "4900"),
        ("2026-02", "ISK", "4900", 490_000, "4900"),
        ("2026-03", "KWD", "4.909", 4_900, "4.9"),
        ("2026-04", "USD", "0.50", 50, "0.5"),
    ] {
        let invoice = scene.invoice_in(month, amount, currency).await;
        assert_eq!(scene.collect(invoice).await.payment, PaymentStatus::Paid, "{currency}");
        assert_eq!((scene.charged(invoice).await, scene.read(invoice).await.paid), (units, euros(paid)), "{currency}");
    }
}
