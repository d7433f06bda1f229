//! Limits that change while instances still go by the old ones.

use lmo_shared::{
    audit::{Actor, IfMatch},
    error::Error,
    id::{KeyId, RequestId},
    money::{NanoUsd, Tokens},
    quota::{Account, Hold, Limits, Need},
    tenant::Tenant,
};

use super::Scene;

fn tokens(cap: u64) -> Limits {
    Limits { monthly_tokens: Some(cap), ..Limits::default() }
}

/// An account as an instance knows it that read the tenant when its limits were these.
fn account(scene: &Scene, limits: Limits, shards: u8) -> Account {
    let key = KeyId::new(scene.platform.clock().now());
    Account { tenant: scene.tenant, limits, shards, key, key_limits: Limits::default() }
}

fn hold(scene: &Scene, account: &Account, tokens: u64) -> Hold {
    let need = Need { input: Tokens(tokens), output: Tokens(0), cost: NanoUsd(0) };
    let deadline = scene.platform.clock().now().after(std::time::Duration::from_mins(1));
    let (model, prices) = ("lmo/echo".to_owned(), String::new());
    Hold {
        input: need.input,
        output: need.output,
        cost: need.cost,
        deadline,
        key: account.key,
        model,
        prices,
        byok: false,
    }
}

async fn set(scene: &Scene, limits: Limits) -> Tenant {
    let set = |tenant: &mut Tenant| {
        tenant.limits = limits;
        Ok(())
    };
    let (actor, now) = (Actor::command_line(), scene.platform.clock().now());
    scene.platform.tenants().edit(scene.tenant, IfMatch::Any, "tenant.limits", &actor, now, set).await.expect("edited")
}

async fn change(scene: &Scene, limits: Limits) {
    let tenant = set(scene, limits).await;
    scene.platform.meters().recap(&tenant).await.expect("recapped");
}

/// How many holds of 10 tokens an instance gets that goes by `limits`.
async fn admitted(scene: &Scene, limits: Limits, shards: u8) -> u64 {
    let (meters, account) = (scene.platform.meters(), account(scene, limits, shards));
    for count in 0..100 {
        let request = RequestId::new(scene.platform.clock().now());
        match meters.hold(&account, request, hold(scene, &account, 10)).await {
            Ok(_) => {}
            Err(Error::Refused(_)) => return count,
            Err(error) => panic!("{error:?}"),
        }
    }
    100
}

#[tokio::test]
async fn an_instance_that_knows_the_old_limit_does_not_raise_a_lowered_cap() {
    let scene = Scene::new(tokens(500), 1).await;
    scene.ask().await.expect("opens the meter");
    change(&scene, tokens(100)).await;
    // Of 100 are left 94.
    assert_eq!(admitted(&scene, tokens(500), 1).await, 9);
}

#[tokio::test]
async fn an_instance_that_knows_the_old_limit_opens_a_meter_at_the_new_one() {
    let scene = Scene::new(tokens(500), 1).await;
    change(&scene, tokens(100)).await;
    assert_eq!(admitted(&scene, tokens(500), 1).await, 10);
}

#[tokio::test]
async fn a_lowered_cap_holds_without_anybody_moving_the_meters() {
    let scene = Scene::new(tokens(500), 1).await;
    scene.ask().await.expect("opens the meter");
    set(&scene, tokens(100)).await;
    assert_eq!(admitted(&scene, tokens(100), 1).await, 9);
}

#[tokio::test]
async fn a_lowered_cap_is_what_all_sub_meters_have_together() {
    let scene = Scene::new(tokens(500), 4).await;
    // Most of it is on one sub-meter now.
    let (meters, account) = (scene.platform.meters(), account(&scene, tokens(500), 4));
    let request = RequestId::new(scene.platform.clock().now());
    meters.hold(&account, request, hold(&scene, &account, 400)).await.expect("gathered");
    change(&scene, tokens(450)).await;
    assert_eq!(admitted(&scene, tokens(450), 4).await, 5);
}
