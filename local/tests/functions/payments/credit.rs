//! Prepaid credit that a tenant buys.

use std::sync::Arc;

use lmo_shared::{
    audit::Actor,
    billing::{
        Amount, Currency, Grant,
        payments::{Heard, NewPurchase},
    },
    store::{Change, Committed, keys},
};
use serde_json::json;

use super::scene::{Scene, euros, told};

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
