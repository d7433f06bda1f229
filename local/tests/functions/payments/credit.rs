//! Prepaid credit that a tenant buys.

use std::{sync::Arc, time::Duration};

use lmo_shared::{
    audit::Actor,
    billing::{
        Amount, Currency, Grant,
        payments::{Heard, NewPurchase},
    },
    store::{Change, Committed, keys},
};
use serde_json::json;

use super::scene::{DAY, Scene, euros, told};

async fn buy(scene: &Scene, amount: &str) -> lmo_shared::error::Result<NewPurchase> {
    let mut change = Change::new(scene.ground.platform.table());
    let amount = Amount::parse(amount).unwrap();
    let bought = scene.payments.buy(&mut change, &scene.tenant, amount, Currency::EUR, &Actor::command_line()).await?;
    assert_eq!(change.commit().await.unwrap(), Committed::Yes);
    Ok(bought)
}

async fn grants(scene: &Scene) -> Vec<Grant> {
    let main = scene.ground.platform.table().tenant(scene.id()).main();
    main.begins_with(keys::GRANT_PREFIX).collect().await.unwrap()
}

#[tokio::test]
async fn credit_is_there_when_it_is_paid_and_once() {
    let scene = Scene::new().await;
    let bought = buy(&scene, "100.00").await.unwrap();
    let event = Arc::new(told("payment_intent.succeeded", &json!({"id": bought.purchase.reference})));
    // It is told, and isn't true.
    scene.payments.hear(&event).await.unwrap();
    assert!(grants(&scene).await.is_empty());
    let confirm = format!("/v1/payment_intents/{}/confirm", bought.purchase.reference);
    let confirmed = scene.ask("POST", &confirm, "payment_method=pm_card_visa&return_url=https://example.com").await;
    assert_eq!(confirmed["status"], "succeeded", "{confirmed}");
    let hearing: Vec<_> = (0..6)
        .map(|_| {
            let (scene, event) = (Arc::clone(&scene), Arc::clone(&event));
            tokio::spawn(async move { scene.payments.hear(&event).await.unwrap() })
        })
        .collect();
    for heard in hearing {
        assert_eq!(heard.await.unwrap(), Heard::Known);
    }
    let [grant] = grants(&scene).await.try_into().unwrap();
    assert_eq!((grant.id, grant.amount, grant.left), (bought.purchase.id, euros("100"), euros("100")));
    assert_eq!((grant.currency, grant.reason.as_str(), grant.expires_at), (Currency::EUR, "purchase", None));
    let mut audited = scene.audited("credit.").await;
    audited.sort();
    assert_eq!(audited, ["credit.buy", "credit.give"]);
}

#[tokio::test]
async fn credit_that_is_not_paid_is_not_there() {
    let scene = Scene::new().await;
    let bought = buy(&scene, "100.00").await.unwrap();
    let confirm = format!("/v1/payment_intents/{}/confirm", bought.purchase.reference);
    scene.ask("POST", &confirm, "payment_method=pm_card_chargeCustomerFail&return_url=https://example.com").await;
    let event = told("payment_intent.payment_failed", &json!({"id": bought.purchase.reference}));
    scene.payments.hear(&event).await.unwrap();
    assert!(grants(&scene).await.is_empty());
    for amount in ["0", "-1", "0.001", "1000000"] {
        assert!(buy(&scene, amount).await.is_err(), "{amount}");
    }
}

/// Pays for credit, as its buyer's browser does.
async fn confirm(scene: &Scene, bought: &NewPurchase) -> serde_json::Value {
    let confirm = format!("/v1/payment_intents/{}/confirm", bought.purchase.reference);
    scene.ask("POST", &confirm, "payment_method=pm_card_visa&return_url=https://example.com").await
}

#[tokio::test]
async fn credit_that_is_paid_is_there_though_stripe_tells_nothing_of_it() {
    let scene = Scene::new().await;
    let bought = buy(&scene, "100.00").await.unwrap();
    scene.run().await;
    assert_eq!(confirm(&scene, &bought).await["status"], "succeeded");
    assert!(grants(&scene).await.is_empty());
    scene.wait(Duration::from_hours(1));
    scene.run().await;
    assert_eq!((grants(&scene).await.len(), scene.listed().await), (1, 0));
}

#[tokio::test]
async fn credit_that_nobody_pays_is_given_up_after_a_week() {
    let scene = Scene::new().await;
    let bought = buy(&scene, "100.00").await.unwrap();
    for _ in 0..7 {
        scene.wait(DAY);
        scene.run().await;
        scene.run().await;
    }
    scene.wait(DAY);
    scene.run().await;
    assert_eq!((grants(&scene).await.len(), scene.listed().await), (0, 0));
    assert!(confirm(&scene, &bought).await["error"].is_object(), "it could still be paid");
}

#[tokio::test]
async fn credit_that_goes_back_is_taken_away_as_far_as_it_is_there() {
    let scene = Scene::new().await;
    let bought = buy(&scene, "100.00").await.unwrap();
    confirm(&scene, &bought).await;
    let paid = json!({"id": bought.purchase.reference});
    scene.payments.hear(&told("payment_intent.succeeded", &paid)).await.unwrap();
    let form = format!("payment_intent={}&amount=4000", bought.purchase.reference);
    let refund = scene.ask("POST", "/v1/refunds", &form).await;
    assert!(refund["id"].is_string(), "{refund}");
    let of = json!({"payment_intent": bought.purchase.reference});
    for _ in 0..2 {
        scene.payments.hear(&told("charge.refunded", &of)).await.unwrap();
        assert_eq!(grants(&scene).await[0].left, euros("60"));
    }
    scene.payments.hear(&told("charge.dispute.created", &of)).await.unwrap();
    assert_eq!(grants(&scene).await[0].left, Amount::ZERO);
    assert_eq!(scene.audited("credit.take_back").await.len(), 2);
}

/// Whoever is refunded before anybody hears that it was paid has no credit either.
#[tokio::test]
async fn credit_that_goes_back_before_it_is_heard_of_is_not_given_afterwards() {
    for heard in [true, false] {
        let scene = Scene::new().await;
        let bought = buy(&scene, "100.00").await.unwrap();
        confirm(&scene, &bought).await;
        scene.ask("POST", "/v1/refunds", &format!("payment_intent={}", bought.purchase.reference)).await;
        if heard {
            let of = json!({"payment_intent": bought.purchase.reference});
            scene.payments.hear(&told("charge.refunded", &of)).await.unwrap();
            scene
                .payments
                .hear(&told("payment_intent.succeeded", &json!({"id": bought.purchase.reference})))
                .await
                .unwrap();
        }
        scene.wait(Duration::from_hours(1));
        scene.run().await;
        let left: Vec<_> = grants(&scene).await.iter().map(|grant| grant.left).collect();
        assert_eq!((left.as_slice(), scene.listed().await), (&[Amount::ZERO][..], 0), "{heard}");
    }
}
