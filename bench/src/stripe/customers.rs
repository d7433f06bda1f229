//! `/v1/customers`.

use serde_json::{Value, json};

use super::call::Call;
use super::methods;
use super::params::Params;
use super::problem::Problem;
use super::world::World;

/// Fields that are texts, and can be unset.
const TEXTS: [&str; 4] = ["name", "email", "description", "phone"];
const ADDRESS: [&str; 6] = ["city", "country", "line1", "line2", "postal_code", "state"];

pub(super) fn create(world: &mut World, call: &Call, mut params: Params) -> Result<Value, Problem> {
    let id = world.id("cus").replacen("cus_", "", 1);
    let id = format!("cus_{}", &id[..14]);
    let method = params.text("payment_method")?;
    let mut customer = json!({
        "id": id, "object": "customer", "address": null, "balance": 0, "created": world.now(), "currency": null,
        "default_source": null, "delinquent": false, "description": null, "discount": null, "email": null,
        "invoice_prefix": id[4..12].to_uppercase(),
        "invoice_settings": {
            "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null,
        },
        "livemode": false, "metadata": {}, "name": null, "next_invoice_sequence": 1, "phone": null,
        "preferred_locales": [], "shipping": null, "tax_exempt": "none", "test_clock": null,
    });
    change(world, &mut customer, params)?;
    if let Some(method) = method {
        methods::attached(world, call, &method, &id, "payment_method")?;
    }
    world.put(&customer);
    world.tell("customer.created", &customer, &call.cause());
    Ok(customer)
}

pub(super) fn update(world: &mut World, call: &Call, params: Params, id: &str) -> Result<Value, Problem> {
    let before = get(world, id, || Problem::no_such("customer", id, "id"))?;
    let mut customer = before.clone();
    change(world, &mut customer, params)?;
    if customer != before {
        world.put(&customer);
        world.tell_change("customer.updated", &customer, Some(&before), &call.cause());
    }
    Ok(customer)
}

pub(super) fn delete(world: &mut World, call: &Call, params: Params, id: &str) -> Result<Value, Problem> {
    params.finish()?;
    let mut customer = get(world, id, || Problem::no_such("customer", id, "id"))?;
    world.tell("customer.deleted", &customer, &call.cause());
    customer["deleted"] = json!(true);
    world.put(&customer);
    let methods: Vec<Value> = methods::saved(world, id).cloned().collect();
    for mut method in methods {
        method["customer"] = Value::Null;
        world.put(&method);
    }
    Ok(json!({"id": id, "object": "customer", "deleted": true}))
}

/// A customer that isn't deleted.
pub(super) fn get(world: &World, id: &str, missing: impl Fn() -> Problem) -> Result<Value, Problem> {
    let found = world.get("customer", id, &missing)?;
    if found["deleted"] == true { Err(missing()) } else { Ok(found) }
}

fn change(world: &World, customer: &mut Value, mut params: Params) -> Result<(), Problem> {
    for name in TEXTS {
        if let Some(value) = params.settable(name)? {
            if let ("email", Some(email)) = (name, value.as_str())
                && !email.contains('@')
            {
                return Err(Problem::parameter("email_invalid", format!("Invalid email address: {email}"), "email"));
            }
            customer[name] = value;
        }
    }
    if let Some(mut given) = params.object("address")? {
        let mut address = json!({});
        for name in ADDRESS {
            address[name] = given.settable(name)?.unwrap_or_default();
        }
        given.finish()?;
        customer["address"] = address;
    }
    if let Some(exempt) = params.one_of("tax_exempt", &["none", "exempt", "reverse"])? {
        customer["tax_exempt"] = json!(exempt);
    }
    if let Some(locales) = params.list("preferred_locales")? {
        customer["preferred_locales"] = json!(locales);
    }
    if let Some(mut settings) = params.object("invoice_settings")? {
        if let Some(method) = settings.settable("default_payment_method")? {
            if let Some(id) = method.as_str() {
                let param = "invoice_settings[default_payment_method]";
                let found = world.get("payment_method", id, || Problem::reference("PaymentMethod", id, param))?;
                if found["customer"] != customer["id"] {
                    let message = format!(
                        "The customer does not have a payment method with the ID {id}. The payment method must be attached \
                         to the customer."
                    );
                    return Err(Problem::parameter("resource_missing", message, param).begun());
                }
            }
            customer["invoice_settings"]["default_payment_method"] = method;
        }
        settings.finish()?;
    }
    params.metadata(&mut customer["metadata"])?;
    params.finish()
}
