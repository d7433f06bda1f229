use super::*;
use crate::billing::{Currency, TaxLine, stripe::Intent};
use crate::{clock::Period, id::TenantId, store::keys};
use serde_json::json;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn invoice() -> Invoice {
    let tenant = TenantId::new(NOW);
    let invoice = json!({
        "id": keys::invoice_of(tenant, Period::parse("2026-10").unwrap()), "tenant": tenant, "period": "2026-10",
        "number": "LMO-2026-000001", "status": "finalised", "payment": "pending", "currency": "EUR", "lines": [],
        "plans": [], "entries": 0, "seller": {"name": "LMO", "address": [], "country": "DE"}, "buyer": {"name": "Acme"},
        "subtotal": "49", "total": "49", "due": "49", "tax": TaxLine::default(), "created_at": NOW,
        "finalised_at": NOW, "due_at": NOW.after(DAY * 14), "version": 1,
    });
    serde_json::from_value(invoice).unwrap()
}

/// What is to be done so many days later.
fn on(days: u32, invoice: &Invoice, chargeable: bool, under_way: Option<PaymentState>) -> Duty {
    let dunning = Dunning::default();
    let now = NOW.after(DAY * days);
    duty(Situation { invoice, chargeable, under_way, dunning: &dunning, wanted: false, now }).unwrap()
}

fn until(days: u32) -> Duty {
    Duty::Wait(Some(NOW.after(DAY * days)))
}

#[test]
fn what_can_be_charged_is_charged_at_once_and_what_cannot_is_waited_for() {
    assert_eq!(on(0, &invoice(), true, None), Duty::Charge);
    assert_eq!(on(0, &invoice(), false, None), until(14));
}

#[test]
fn a_failed_payment_is_tried_again_on_dunnings_days_and_then_it_gets_serious() {
    let mut invoice = invoice();
    invoice.payment = PaymentStatus::Failed;
    invoice.collection.since = Some(NOW);
    assert_eq!(on(2, &invoice, true, None), until(3));
    assert_eq!(on(3, &invoice, true, None), Duty::Charge);
    invoice.collection.step = 1;
    assert_eq!(on(4, &invoice, true, None), until(7));
    assert_eq!(on(7, &invoice, false, None), Duty::Remind);
    invoice.collection.step = 3;
    assert_eq!(on(15, &invoice, true, None), until(21));
    assert_eq!(on(21, &invoice, true, None), Duty::Suspend);
    invoice.collection.suspended = true;
    assert_eq!(on(30, &invoice, true, None), until(90));
    assert_eq!(on(90, &invoice, true, None), Duty::GiveUp);
    invoice.payment = PaymentStatus::Uncollectible;
    assert_eq!(on(200, &invoice, true, None), Duty::Wait(None));
}

#[test]
fn a_transfer_is_reminded_of_from_the_day_on_by_which_it_was_to_come() {
    let invoice = invoice();
    assert_eq!(on(14, &invoice, false, None), until(17));
    assert_eq!(on(17, &invoice, false, None), Duty::Remind);
    assert_eq!(on(35, &invoice, false, None), Duty::Suspend);
}

#[test]
fn nobody_is_suspended_while_money_may_be_on_its_way_but_while_it_waits_for_its_buyer() {
    let mut invoice = invoice();
    invoice.collection.since = Some(NOW);
    for (state, hours) in [(PaymentState::Begun, 0), (PaymentState::Processing, 6)] {
        let next = NOW.after(DAY * 25 + Duration::from_hours(hours));
        let next = if hours == 0 { next.after(UNKNOWN) } else { next };
        assert_eq!(on(25, &invoice, true, Some(state)), Duty::Wait(Some(next)));
    }
    assert_eq!(on(25, &invoice, true, Some(PaymentState::ActionRequired)), Duty::Suspend);
    invoice.collection.suspended = true;
    assert_eq!(on(25, &invoice, true, Some(PaymentState::ActionRequired)), Duty::Remind);
}

#[test]
fn what_is_paid_credited_or_less_than_a_coin_is_settled() {
    let mut credited = invoice();
    credited.credited = Amount::units(49);
    assert_eq!(on(0, &credited, true, None), Duty::Paid);
    let mut dinars = invoice();
    (dinars.currency, dinars.due) = (Currency::parse("KWD").unwrap(), Amount::parse("1.509").unwrap());
    assert_eq!(on(0, &dinars, true, None), Duty::Charge);
    dinars.paid = Amount::parse("1.5").unwrap();
    assert_eq!(on(0, &dinars, true, None), Duty::Paid);
}

#[test]
fn whoever_was_suspended_goes_on_when_it_is_paid_or_void() {
    let mut paid = invoice();
    paid.payment = PaymentStatus::Paid;
    assert_eq!(on(0, &paid, true, None), Duty::Wait(None));
    paid.collection.suspended = true;
    assert_eq!(on(0, &paid, true, None), Duty::Resume);
    let mut void = invoice();
    void.status = InvoiceStatus::Void;
    assert_eq!((on(0, &void, true, None), owed(&void).unwrap()), (Duty::Wait(None), Amount::ZERO));
    void.collection.suspended = true;
    assert_eq!(on(0, &void, true, None), Duty::Resume);
}

#[test]
fn an_attempt_is_what_stripe_says_of_it() {
    let of = |status: &str, error: serde_json::Value| {
        let intent = json!({"id": "pi_1", "status": status, "amount": 4900, "last_payment_error": error});
        let outcome = Outcome::of(&serde_json::from_value::<Intent>(intent).unwrap());
        (outcome.state, outcome.failure)
    };
    let none = serde_json::Value::Null;
    let declined = json!({"code": "card_declined", "decline_code": "insufficient_funds"});
    let wanted = json!({"code": "authentication_required", "decline_code": "authentication_required"});
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(of("succeeded", declined.clone()), (PaymentState::Succeeded, None));
    assert_eq!(of("processing", none.clone()), (PaymentState::Processing, None));
    assert_eq!(of("requires_action", none.clone()), (PaymentState::ActionRequired, None));
    assert_eq!(of("requires_payment_method", declined), (PaymentState::Failed, text("insufficient_funds")));
    assert_eq!(of("requires_payment_method", wanted), (PaymentState::ActionRequired, text("authentication_required")));
    assert_eq!(of("canceled", none.clone()), (PaymentState::Failed, text("canceled")));
    assert_eq!(of("something_new", none), (PaymentState::Processing, None));
}
