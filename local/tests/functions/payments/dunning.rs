//! What follows when nobody pays, and that it ends when somebody does.

use lmo_shared::{
    audit::{IfMatch, Source},
    auth::Permission,
    billing::{Amount, PaymentState, PaymentStatus},
    tenant::{Status, UNPAID},
};

use super::scene::{DAY, Scene, euros, text, told};

const DECLINED: &str = "pm_card_chargeCustomerFail";
const WANTS_BUYER: &str = "pm_card_authenticationRequired";

#[tokio::test]
async fn a_declined_card_is_tried_again_after_three_days_and_the_attempt_before_is_ended() {
    let scene = Scene::with_card(DECLINED).await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    let collected = scene.collect(invoice).await;
    assert_eq!((collected.payment, collected.next), (PaymentStatus::Failed, Some(scene.now().after(3 * DAY))));
    assert_eq!(scene.attempts(invoice).await[0].failure.as_deref(), Some("generic_decline"));
    assert_eq!(scene.letters(), ["Invoice LMO-2026-10", "Payment of invoice LMO-2026-10 failed"]);
    assert_eq!(scene.announced().await, ["invoice.payment_failed"]);
    scene.set_card("pm_card_visa").await;
    scene.wait(3 * DAY);
    scene.run().await;
    let paid = scene.read(invoice).await;
    assert_eq!((paid.payment, paid.attempts, paid.collection.next), (PaymentStatus::Paid, 2, None));
    let statuses: Vec<_> = scene.intents(None).iter().map(|intent| text(&intent["status"]).to_owned()).collect();
    assert_eq!(statuses, ["succeeded", "canceled"]);
}

#[tokio::test]
async fn whoever_does_not_pay_is_suspended_and_in_the_end_given_up() {
    let scene = Scene::with_card(DECLINED).await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    let mut days = Vec::new();
    for day in 0..100 {
        let before = scene.attempts(invoice).await.len();
        scene.run().await;
        if scene.attempts(invoice).await.len() > before {
            days.push(day);
        }
        let suspended = scene.tenant_status().await == Status::Suspended;
        assert_eq!(suspended, day >= 21, "{day}");
        assert_eq!(scene.status(invoice).await == PaymentStatus::Uncollectible, day >= 90, "{day}");
        scene.wait(DAY);
    }
    assert_eq!(days, [0, 3, 7, 14]);
    assert_eq!((scene.listed().await, scene.announced().await.last().unwrap().as_str()), (0, "invoice.uncollectible"));
    let tenant = scene.ground.platform.tenants().get(scene.id()).await.unwrap();
    assert_eq!(tenant.suspended_for.as_deref(), Some(UNPAID));
    let letters = scene.letters();
    let count = |part: &str| letters.iter().filter(|letter| letter.contains(part)).count();
    assert_eq!((count("failed"), count("Suspended"), count("was not paid")), (4, 1, 1), "{letters:?}");
    // It is paid after all.
    scene.note(invoice, "49.00").await.unwrap();
    scene.run().await;
    assert_eq!((scene.status(invoice).await, scene.tenant_status().await), (PaymentStatus::Paid, Status::Active));
}

#[tokio::test]
async fn whoever_was_suspended_goes_on_when_all_of_it_is_paid_and_not_before() {
    let scene = Scene::new().await;
    let (first, second) = (scene.invoice("2026-09", "49.00").await, scene.invoice("2026-10", "20.00").await);
    scene.run().await;
    scene.wait(14 * DAY + 21 * DAY);
    scene.run().await;
    assert_eq!(scene.tenant_status().await, Status::Suspended);
    let caller = scene.ground.platform.authenticator().of_key(&scene.key, Source::default()).await.unwrap();
    assert!(caller.require(Permission::BillingWrite).is_ok(), "it may still pay");
    assert_eq!(caller.require(Permission::Query).unwrap_err().code(), "tenant_suspended");
    assert_eq!(caller.require(Permission::KeysWrite).unwrap_err().code(), "tenant_suspended");
    scene.note(first, "49.00").await.unwrap();
    scene.run().await;
    assert_eq!((scene.status(first).await, scene.tenant_status().await), (PaymentStatus::Paid, Status::Suspended));
    scene.note(second, "5.00").await.unwrap();
    scene.run().await;
    assert_eq!((scene.status(second).await, scene.tenant_status().await), (PaymentStatus::Pending, Status::Suspended));
    scene.note(second, "15.00").await.unwrap();
    scene.run().await;
    assert_eq!((scene.status(second).await, scene.tenant_status().await), (PaymentStatus::Paid, Status::Active));
    assert_eq!(scene.listed().await, 0);
}

#[tokio::test]
async fn whoever_announces_to_leave_and_comes_back_is_suspended_all_the_same() {
    let scene = Scene::new().await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.run().await;
    scene.wait(14 * DAY + 20 * DAY);
    let tenants = scene.ground.platform.tenants();
    let by = scene.ground.owner(scene.id()).await;
    tenants.announce_deletion(scene.id(), "acme", IfMatch::Any, &by, scene.now()).await.unwrap();
    scene.wait(2 * DAY);
    scene.run().await;
    assert_eq!(scene.tenant_status().await, Status::Deleting);
    tenants.restore(scene.id(), &by, scene.now()).await.unwrap();
    assert_eq!(scene.tenant_status().await, Status::Suspended);
    scene.note(invoice, "49.00").await.unwrap();
    scene.run().await;
    assert_eq!((scene.status(invoice).await, scene.tenant_status().await), (PaymentStatus::Paid, Status::Active));
}

#[tokio::test]
async fn whom_the_operator_suspended_for_something_else_stays_so() {
    let scene = Scene::new().await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.suspend("fraud").await;
    scene.run().await;
    scene.wait(14 * DAY + 21 * DAY);
    scene.run().await;
    scene.note(invoice, "49.00").await.unwrap();
    scene.run().await;
    let tenant = scene.ground.platform.tenants().get(scene.id()).await.unwrap();
    assert_eq!((tenant.status, tenant.suspended_for.as_deref()), (Status::Suspended, Some("fraud")));
    let refused = scene.ground.platform.authenticator().of_key(&scene.key, Source::default()).await.unwrap_err();
    assert_eq!(refused.code(), "tenant_suspended");
}

#[tokio::test]
async fn without_a_payment_method_the_buyer_is_written_reminders() {
    let scene = Scene::new().await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    assert_eq!(scene.collect(invoice).await.next, scene.read(invoice).await.due_at);
    for _ in 0..30 {
        scene.run().await;
        scene.wait(DAY);
    }
    let reminders = scene.letters().iter().filter(|letter| letter.starts_with("Reminder")).count();
    assert_eq!((reminders, scene.attempts(invoice).await.len()), (3, 0));
    assert_eq!(scene.status(invoice).await, PaymentStatus::Pending);
}

#[tokio::test]
async fn a_bank_that_wants_the_buyer_gets_the_buyer() {
    let scene = Scene::with_card(WANTS_BUYER).await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    assert_eq!(scene.collect(invoice).await.payment, PaymentStatus::ActionRequired);
    assert_eq!(scene.letters().last().unwrap(), "Confirm the payment of invoice LMO-2026-10");
    assert_eq!(scene.announced().await, ["invoice.payment_action_required"]);
    let (collected, confirmation) = scene.payments.pay(scene.id(), invoice).await.unwrap();
    let confirmation = confirmation.unwrap();
    assert_eq!(collected.payment, PaymentStatus::ActionRequired);
    assert_eq!(confirmation.publishable_key.as_deref(), Some("pk_test_of_the_deployment"));
    let [intent] = scene.intents(None).try_into().unwrap();
    assert!(confirmation.client_secret.starts_with(text(&intent["id"])));
    // Stripe.js does this in the buyer's browser.
    let form = format!("payment_method={}&return_url=https://example.com", confirmation.payment_method.unwrap());
    let confirm = format!("/v1/payment_intents/{}/confirm", text(&intent["id"]));
    assert_eq!(scene.ask("POST", &confirm, &form).await["status"], "requires_action");
    scene.payments.hear(&told("payment_intent.requires_action", &intent)).await.unwrap();
    assert_eq!(scene.status(invoice).await, PaymentStatus::ActionRequired);
    scene.bank.authenticate(text(&intent["id"]), true).await.unwrap();
    scene.payments.hear(&told("payment_intent.succeeded", &intent)).await.unwrap();
    let paid = scene.read(invoice).await;
    assert_eq!((paid.payment, paid.attempts, paid.collection.next), (PaymentStatus::Paid, 1, None));
}

#[tokio::test]
async fn another_method_is_tried_instead_of_one_that_waits_for_its_buyer() {
    let scene = Scene::with_card(WANTS_BUYER).await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.collect(invoice).await;
    scene.set_card("pm_card_visa").await;
    let (collected, confirmation) = scene.payments.pay(scene.id(), invoice).await.unwrap();
    assert_eq!((collected.payment, confirmation.is_none()), (PaymentStatus::Paid, true));
    let statuses: Vec<_> = scene.intents(None).iter().map(|intent| text(&intent["status"]).to_owned()).collect();
    assert_eq!(statuses, ["succeeded", "canceled"]);
}

#[tokio::test]
async fn what_a_credit_note_takes_off_is_not_charged_any_more() {
    let scene = Scene::with_card(WANTS_BUYER).await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.collect(invoice).await;
    scene.set_card("pm_card_visa").await;
    scene.change(invoice, |invoice| invoice.credited = Amount::units(9)).await;
    scene.run().await;
    scene.wait(3 * DAY);
    scene.run().await;
    let paid = scene.read(invoice).await;
    assert_eq!((paid.payment, paid.paid), (PaymentStatus::Paid, euros("40")));
    let amounts: Vec<_> = scene.attempts(invoice).await.iter().map(|one| (one.amount, one.status)).collect();
    assert_eq!(amounts, [(euros("49"), PaymentState::Failed), (euros("40"), PaymentState::Succeeded)]);
    assert_eq!(scene.charged(invoice).await, 4_000);
}

#[tokio::test]
async fn who_presses_pay_again_and_again_is_not_charged_again_and_again() {
    let scene = Scene::with_card(DECLINED).await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.collect(invoice).await;
    let refused = scene.payments.pay(scene.id(), invoice).await.err().unwrap();
    assert_eq!(refused.code(), "too_many_attempts");
    scene.set_card("pm_card_visa").await;
    scene.wait(DAY / 24);
    assert_eq!(scene.payments.pay(scene.id(), invoice).await.unwrap().0.payment, PaymentStatus::Paid);
    assert_eq!(scene.payments.pay(scene.id(), invoice).await.err().unwrap().code(), "conflict");
    assert_eq!(scene.charged(invoice).await, 4_900);
}

#[tokio::test]
async fn who_tries_a_card_that_fails_again_and_again_is_written_no_letters_for_it() {
    let scene = Scene::with_card(DECLINED).await;
    let invoice = scene.invoice("2026-10", "49.00").await;
    scene.collect(invoice).await;
    let before = scene.letters();
    for _ in 0..3 {
        scene.wait(std::time::Duration::from_mins(2));
        let (collected, _) = scene.payments.pay(scene.id(), invoice).await.unwrap();
        assert_eq!(collected.payment, PaymentStatus::Failed);
    }
    assert_eq!((scene.attempts(invoice).await.len(), scene.letters()), (4, before));
}
