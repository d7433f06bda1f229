//! Facts that the official SDKs' tests (`tests/stripe`, `tests/typescript`) don't see, as calls without a connection.

use http::Method;
use serde_json::{Value, json};

use super::call::Call;
use super::form;
use super::keys::{Answered, Keys};
use super::problem::Problem;
use super::world::World;

fn call(path: &str, form: &str) -> Call {
    Call {
        method: if form.is_empty() { Method::GET } else { Method::POST },
        path: path.to_owned(),
        params: form::decode(form.as_bytes()).unwrap(),
        key: Some("key".to_owned()),
        publishable: false,
        request: "req_1".to_owned(),
    }
}

fn world() -> World {
    World::new("2026-09-30.endive".to_owned())
}

fn post(world: &mut World, path: &str, form: &str) -> Result<Value, Problem> {
    call(path, form).perform(world)
}

fn told(world: &World) -> Vec<&str> {
    world.untold.iter().filter_map(|id| world.find(id)?["type"].as_str()).collect()
}

#[test]
fn a_key_whose_request_is_under_way_is_in_use_and_its_answer_lasts_a_day() {
    let (mut keys, asked) = (Keys::default(), call("/v1/customers", "name=a"));
    assert!(keys.take(&asked, 0).unwrap().is_none());
    assert_eq!(keys.take(&asked, 0).unwrap_err().status, 409);
    let answered = Answered { status: 200, body: "{}".to_owned(), request: "req_1".to_owned() };
    keys.end(&asked, Some(&answered));
    assert_eq!(keys.take(&asked, 86_399).unwrap().unwrap().body, "{}");
    assert_eq!(keys.take(&call("/v1/customers", "name=b"), 86_399).unwrap_err().status, 400);
    assert!(keys.take(&asked, 86_400).unwrap().is_none());
}

#[test]
fn ids_are_never_the_same() {
    let mut world = world();
    let ids: std::collections::HashSet<_> = (0..10_000).map(|_| world.id("pi")).collect();
    assert_eq!(ids.len(), 10_000);
}

#[test]
fn a_payment_tells_what_happened_in_order() {
    let mut world = world();
    let customer = post(&mut world, "/v1/customers", "name=a").unwrap()["id"].clone();
    let customer = customer.as_str().unwrap();
    let form = format!("customer={customer}");
    post(&mut world, "/v1/payment_methods/pm_card_visa/attach", &form).unwrap();
    let form = format!(
        "amount=100&currency=EUR&customer={customer}&payment_method=pm_card_chargeCustomerFail&confirm=true\
         &payment_method_types[]=card&metadata[invoice]=inv_1"
    );
    let refused = post(&mut world, "/v1/payment_intents", &form).unwrap_err();
    assert_eq!((refused.status, refused.began), (402, true));
    let wanted = [
        "customer.created",
        "payment_method.attached",
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ];
    assert_eq!(told(&world), wanted);
    let intent = world.all("payment_intent").next().unwrap();
    assert_eq!((&intent["payment_method"], &intent["currency"]), (&Value::Null, &json!("eur")));
    assert_eq!(intent["last_payment_error"]["decline_code"], "generic_decline");
}

#[test]
fn nothing_is_left_of_what_is_refused_before_it_began() {
    let mut world = world();
    let bad = [
        "amount=x&currency=eur",
        "amount=100",
        "amount=100&currency=eur&customer=cus_none",
        "amount=100&currency=eur&unknown=1",
        "amount=100&currency=eur&metadata[a]=&metadata[b][c]=1",
        "amount=100&currency=eur&automatic_payment_methods[enabled]=true&payment_method_types[]=card",
        "amount=100000000&currency=eur",
    ];
    for form in bad {
        assert!(post(&mut world, "/v1/payment_intents", form).is_err(), "{form}");
    }
    assert!(world.all("payment_intent").next().is_none() && world.untold.is_empty());
}

#[test]
fn a_payment_method_is_its_customers_alone() {
    let mut world = world();
    let mut customer = || post(&mut world, "/v1/customers", "name=a").unwrap()["id"].as_str().unwrap().to_owned();
    let (owner, other) = (customer(), customer());
    let attached = post(&mut world, "/v1/payment_methods/pm_card_visa/attach", &format!("customer={owner}")).unwrap();
    let method = attached["id"].as_str().unwrap();
    let steal = format!("customer={other}");
    assert!(post(&mut world, &format!("/v1/payment_methods/{method}/attach"), &steal).is_err());
    for whose in [format!("&customer={other}"), String::new()] {
        let form = format!("amount=100&currency=eur&payment_method={method}&payment_method_types[]=card{whose}");
        assert!(post(&mut world, "/v1/payment_intents", &form).is_err(), "{form}");
    }
}
