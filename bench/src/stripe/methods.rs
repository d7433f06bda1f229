//! `/v1/payment_methods`, and those of customers.

use serde_json::{Value, json};

use super::call::Call;
use super::cards::{self, Kind, Nature, Refuses};
use super::params::Params;
use super::problem::Problem;
use super::world::World;
use super::{customers, list as lists};

pub(super) fn create(world: &mut World, mut params: Params) -> Result<Value, Problem> {
    let kind = params.one_of("type", &["card", "sepa_debit"])?.ok_or_else(|| Problem::missing_parameter("type"))?;
    let nature = match (params.object("card")?, params.object("sepa_debit")?) {
        (Some(card), None) if kind == "card" => card_nature(card)?,
        (None, Some(mut debit)) if kind == "sepa_debit" => {
            let iban = debit.needed("iban")?.replace(' ', "");
            debit.finish()?;
            cards::account(&iban).ok_or_else(|| {
                Problem::parameter("invalid_bank_account_iban", "The IBAN you entered is invalid.", "sepa_debit[iban]")
            })?
        }
        _ => return Err(Problem::missing_parameter(&kind)),
    };
    let mut billing = no_billing_details();
    if let Some(mut given) = params.object("billing_details")? {
        for name in ["name", "email", "phone"] {
            billing[name] = given.settable(name)?.unwrap_or_default();
        }
        given.finish()?;
    }
    let mut metadata = json!({});
    params.metadata(&mut metadata)?;
    params.finish()?;
    let mut method = make(world, nature);
    method["billing_details"] = billing;
    method["metadata"] = metadata;
    world.put(&method);
    Ok(method)
}

/// A card by its number or by a token.
fn card_nature(mut card: Params) -> Result<Nature, Problem> {
    let name = match card.text("token")? {
        Some(token) => token,
        None => card.needed("number")?.replace(' ', ""),
    };
    for name in ["exp_month", "exp_year", "cvc"] {
        card.integer(name)?;
    }
    card.finish()?;
    cards::named(&name).ok_or_else(|| {
        Problem::card("incorrect_number", None, "Your card number is incorrect.").about("param", json!("number"))
    })
}

/// A new payment method that nobody has.
fn make(world: &mut World, nature: Nature) -> Value {
    let id = world.id("pm");
    let mut method = json!({
        "id": id, "object": "payment_method", "allow_redisplay": "unspecified",
        "billing_details": no_billing_details(),
    });
    let details = match nature.kind {
        Kind::Card => json!({
            "brand": nature.brand,
            "checks": {"address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass"},
            "country": "US", "display_brand": nature.brand, "exp_month": 12, "exp_year": 2034,
            "fingerprint": format!("fp{:014}", nature.last4), "funding": "credit", "generated_from": null,
            "last4": nature.last4, "networks": {"available": [nature.brand], "preferred": null},
            "regulated_status": "unregulated", "three_d_secure_usage": {"supported": true}, "wallet": null,
        }),
        Kind::SepaDebit => json!({
            "bank_code": "37040044", "branch_code": "", "country": "DE",
            "fingerprint": format!("fp{:014}", nature.last4), "generated_from": {"charge": null, "setup_attempt": null},
            "last4": nature.last4,
        }),
    };
    method[nature.kind.name()] = details;
    for (name, value) in [
        ("created", json!(world.now())),
        ("customer", Value::Null),
        ("customer_account", Value::Null),
        ("livemode", json!(false)),
        ("metadata", json!({})),
        ("type", json!(nature.kind.name())),
    ] {
        method[name] = value;
    }
    world.put(&method);
    world.natures.insert(id, (nature, false));
    method
}

pub(super) fn no_billing_details() -> Value {
    let address =
        json!({"city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null});
    json!({"address": address, "email": null, "name": null, "phone": null, "tax_id": null})
}

/// The payment method that a parameter names: one that is there, or a new one of a test token.
pub(super) fn resolve(world: &mut World, id: &str, param: &str) -> Result<Value, Problem> {
    if let Some(nature) = id.strip_prefix("pm_card_").and_then(cards::named) {
        return Ok(make(world, nature));
    }
    world.get("payment_method", id, || Problem::reference("PaymentMethod", id, param))
}

pub(super) fn update(world: &mut World, call: &Call, mut params: Params, id: &str) -> Result<Value, Problem> {
    let before = world.get("payment_method", id, || Problem::no_such("PaymentMethod", id, "payment_method"))?;
    let mut method = before.clone();
    params.metadata(&mut method["metadata"])?;
    params.finish()?;
    if method["customer"].is_null() {
        let message = "You must save this PaymentMethod to a customer before you can update it.";
        return Err(Problem::request(message).begun());
    }
    world.put(&method);
    world.tell_change("payment_method.updated", &method, Some(&before), &call.cause());
    Ok(method)
}

pub(super) fn attach(world: &mut World, call: &Call, mut params: Params, id: &str) -> Result<Value, Problem> {
    let customer = params.needed("customer")?;
    params.finish()?;
    customers::get(world, &customer, || Problem::reference("customer", &customer, "customer"))?;
    attached(world, call, id, &customer, "payment_method")
}

/// Attaches a payment method to a customer that is there, unless its issuer declines.
pub(super) fn attached(
    world: &mut World,
    call: &Call,
    id: &str,
    customer: &str,
    param: &str,
) -> Result<Value, Problem> {
    let mut method = resolve(world, id, param)?;
    match method["customer"].as_str() {
        Some(owner) if owner == customer => return Ok(method),
        Some(_) => {
            let message = "The payment method you provided has already been attached to a customer.";
            return Err(Problem::request(message).begun());
        }
        None => {}
    }
    let id = id_of(&method);
    if world.spent.contains(&id) {
        return Err(used_up());
    }
    if let Some((Nature { refuses: Refuses::All(decline), .. }, _)) = world.natures.get(&id) {
        return Err(decline.problem());
    }
    method["customer"] = json!(customer);
    world.put(&method);
    world.tell("payment_method.attached", &method, &call.cause());
    Ok(method)
}

/// An object's id.
pub(super) fn id_of(object: &Value) -> String {
    object["id"].as_str().unwrap_or_default().to_owned()
}

/// One that was detached, or used without a customer, is good for nothing more.
pub(super) fn used_up() -> Problem {
    Problem::request(
        "This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, and \
         may not be used again.",
    )
    .begun()
}

pub(super) fn detach(world: &mut World, call: &Call, params: Params, id: &str) -> Result<Value, Problem> {
    params.finish()?;
    let before = world.get("payment_method", id, || Problem::no_such("PaymentMethod", id, "payment_method"))?;
    let Some(customer) = before["customer"].as_str() else {
        let message = "The payment method you provided is not attached to a customer so detachment is impossible.";
        return Err(Problem::request(message).begun());
    };
    if let Some(mut owner) = world.find(customer).cloned()
        && owner["invoice_settings"]["default_payment_method"] == id
    {
        owner["invoice_settings"]["default_payment_method"] = Value::Null;
        world.put(&owner);
    }
    let mut method = before.clone();
    method["customer"] = Value::Null;
    world.put(&method);
    world.spent.insert(id.to_owned());
    world.tell_change("payment_method.detached", &method, Some(&before), &call.cause());
    Ok(method)
}

/// The payment methods of a customer.
pub(super) fn saved<'a>(world: &'a World, customer: &'a str) -> impl Iterator<Item = &'a Value> {
    world.all("payment_method").filter(move |method| method["customer"] == customer)
}

pub(super) fn of(world: &World, params: Params, customer: &str) -> Result<Value, Problem> {
    customers::get(world, customer, || Problem::no_such("customer", customer, "customer"))?;
    page(world, params, customer, &format!("/v1/customers/{customer}/payment_methods"))
}

pub(super) fn one_of(world: &World, params: Params, customer: &str, id: &str) -> Result<Value, Problem> {
    params.finish()?;
    let missing = || Problem::no_such("PaymentMethod", id, "payment_method");
    let method = world.get("payment_method", id, missing)?;
    if method["customer"] == customer { Ok(method) } else { Err(missing()) }
}

pub(super) fn list(world: &World, mut params: Params) -> Result<Value, Problem> {
    let customer = params.needed("customer")?;
    page(world, params, &customer, "/v1/payment_methods")
}

fn page(world: &World, mut params: Params, customer: &str, url: &str) -> Result<Value, Problem> {
    let kind = params.text("type")?;
    let fits = |method: &Value| {
        method["customer"] == customer && kind.as_ref().is_none_or(|kind| method["type"] == kind.as_str())
    };
    lists::of(world, params, "payment_method", url, fits)
}
