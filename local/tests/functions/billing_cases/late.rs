//! What comes when its month has been invoiced, and what invoices leave to the next.

use futures_util::future::join_all;
use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::{Amount, Invoice, LineKind, PaymentStatus, sum},
    clock::{Granularity, Period},
    id::AdjustmentId,
    store::keys,
};
use serde_json::json;

use super::{
    amount,
    scene::{Scene, at, lines, month},
};

/// What an invoice makes up for.
fn made_up_for(invoice: &Invoice) -> Amount {
    sum(invoice.lines.iter().filter(|line| line.kind == LineKind::Adjustment).map(|line| line.amount)).unwrap()
}

async fn wait(scene: &Scene, text: &str) {
    let id = AdjustmentId::new(scene.now());
    let waiting = json!({"id": id, "currency": "EUR", "text": "Goodwill", "amount": text});
    scene.platform().table().tenant(scene.tenant).main().put(&keys::adjustment(id), &waiting).await.unwrap();
}

#[tokio::test]
async fn what_comes_late_in_an_hour_that_had_nothing_is_on_the_next_invoice() {
    let scene = Scene::on(json!({})).await;
    scene.ask("2035-10-20T10:00:00Z", 1_000_000).await;
    scene.finalise("2035-10").await;
    scene.plant_entry("2035-10-21T10:00:00Z", 4_000_000).await;
    scene.event("2035-10-21T10:00:00Z").await;
    assert_eq!(lines(&scene.finalise("2035-11").await), ["Late usage of 2035-10: 4.00"]);
    assert_eq!(lines(&scene.finalise("2035-12").await), [""; 0]);
}

#[tokio::test]
async fn late_usage_costs_what_it_would_have_cost_in_time() {
    let scene = Scene::on(json!({"included_credit": "5"})).await;
    scene.ask("2035-10-20T10:00:00Z", 1_000_000).await;
    assert_eq!(scene.finalise("2035-10").await.subtotal, Amount::ZERO);
    // Of the 4.00 that it costs 2.00 are still included.
    scene.plant_entry("2035-10-20T10:00:01Z", 4_000_000).await;
    scene.event("2035-10-20T10:00:01Z").await;
    assert_eq!(lines(&scene.finalise("2035-11").await), ["Late usage of 2035-10: 2.00"]);
    scene.plant_entry("2035-10-20T10:00:02Z", 1_000_000).await;
    scene.event("2035-10-20T10:00:02Z").await;
    assert_eq!(lines(&scene.finalise("2035-12").await), ["Late usage of 2035-10: 1.00"]);
}

#[tokio::test]
async fn nothing_is_lost_or_charged_twice_that_comes_while_others_make_up_for_it() {
    const EVENTS: u64 = 24;
    let scene = Scene::on(json!({})).await;
    scene.ask("2035-10-20T10:00:00Z", 1_000_000).await;
    scene.finalise("2035-10").await;
    scene.set("2035-12-01T12:00:00Z");
    let events = (0..EVENTS).map(async |event| {
        let time = format!("2035-10-20T10:{event:02}:30Z");
        scene.plant_entry(&time, 1_000_000).await;
        scene.event(&time).await;
        scene.bill("2035-11").await;
    });
    join_all(events).await;
    let november = made_up_for(&scene.finalise("2035-11").await);
    let december = made_up_for(&scene.finalise("2035-12").await);
    assert_eq!(november.plus(december).unwrap(), Amount::units(i64::try_from(EVENTS).unwrap()));
}

#[tokio::test]
async fn who_repairs_a_month_that_was_invoiced_makes_the_next_invoice_make_up_for_it() {
    let scene = Scene::on(json!({})).await;
    scene.ask("2035-10-20T10:00:00Z", 1_000_000).await;
    let october = scene.finalise("2035-10").await;
    // Its event is lost.
    scene.plant_entry("2035-10-20T10:00:01Z", 1_000_000).await;
    assert_eq!(lines(&scene.finalise("2035-11").await), [""; 0]);
    let (period, actor) = (month("2035-10"), Actor::command_line());
    let found = scene.invoices().reconcile(scene.tenant, period).await.unwrap();
    assert!(!found.agree);
    let hour = Period::of(Granularity::Hour, at("2035-10-20T10:00:00Z"));
    assert_eq!(found.rows.len(), 1, "the row of {hour}: {found:?}");
    assert!(scene.invoices().repair(scene.tenant, period, &actor).await.unwrap().agree);
    assert_eq!(lines(&scene.finalise("2035-12").await), ["Late usage of 2035-10: 1.00"]);
    assert_eq!(scene.invoice("2035-10").await.lines, october.lines);
}

#[tokio::test]
async fn what_a_void_invoice_made_up_for_is_the_next_ones() {
    let scene = Scene::on(json!({"base_fee": "40"})).await;
    wait(&scene, "-100").await;
    let october = scene.finalise("2035-10").await;
    assert_eq!((october.subtotal, october.carried), (Amount::ZERO, amount("-60")));
    scene.invoices().void(scene.tenant, october.id, IfMatch::Any, "wrong plan", &Actor::command_line()).await.unwrap();
    let mut left = Vec::new();
    for period in ["2035-11", "2035-12", "2036-01"] {
        let invoice = scene.finalise(period).await;
        left.push((invoice.subtotal, invoice.carried, invoice.payment));
    }
    let expected = [
        (Amount::ZERO, amount("-60"), PaymentStatus::Paid),
        (Amount::ZERO, amount("-20"), PaymentStatus::Paid),
        (amount("20"), Amount::ZERO, PaymentStatus::Pending),
    ];
    assert_eq!(left, expected);
}

#[tokio::test]
async fn more_adjustments_than_a_transaction_has_room_for_are_in_two_invoices() {
    let scene = Scene::on(json!({"base_fee": "40"})).await;
    for _ in 0..50 {
        wait(&scene, "-0.10").await;
    }
    assert_eq!(made_up_for(&scene.finalise("2035-10").await), amount("-4"));
    assert_eq!(made_up_for(&scene.finalise("2035-11").await), amount("-1"));
    assert_eq!(made_up_for(&scene.finalise("2035-12").await), Amount::ZERO);
}
