//! `/v1/setup_intents`: a payment method becomes one that can be charged without its holder.

use serde_json::{Value, json};

use super::call::Call;
use super::cards::{Challenge, Kind, Refuses};
use super::customers;
use super::methods::{self, id_of};
use super::params::Params;
use super::payments::{kinds, next_action, next_actions_wish};
use super::problem::Problem;
use super::world::{Cause, World};

pub(super) fn create(world: &mut World, call: &Call, mut params: Params) -> Result<Value, Problem> {
    let (kinds, automatic) = kinds(&mut params)?;
    let confirm = params.flag("confirm")?.unwrap_or(false);
    let usage = params.one_of("usage", &["off_session", "on_session"])?.unwrap_or_else(|| "off_session".to_owned());
    let wish = next_actions_wish(&mut params, confirm)?;
    let id = world.id("seti");
    let secret = world.id("secret");
    let mut intent = json!({
        "id": id, "object": "setup_intent", "allowed_payment_method_types": null, "application": null,
        "automatic_payment_methods": automatic, "cancellation_reason": null, "client_secret": format!("{id}_{secret}"),
        "created": world.now(), "customer": null, "customer_account": null, "description": null,
        "excluded_payment_method_types": null, "flow_directions": null, "last_setup_error": null,
        "latest_attempt": null, "livemode": false, "mandate": null, "metadata": {}, "next_action": null,
        "on_behalf_of": null, "payment_method": null, "payment_method_configuration_details": null,
        "payment_method_options": {"card": {"mandate_options": null, "network": null, "request_three_d_secure": "automatic"}},
        "payment_method_types": kinds, "single_use_mandate": null, "status": "requires_payment_method",
        "usage": usage,
    });
    change(world, &mut intent, params)?;
    world.put(&intent);
    world.tell("setup_intent.created", &intent, &call.cause());
    if confirm {
        attempt(world, call, &mut intent, wish.as_deref())?;
    }
    Ok(intent)
}

pub(super) fn update(world: &mut World, _: &Call, params: Params, id: &str) -> Result<Value, Problem> {
    let mut intent = get(world, id)?;
    change(world, &mut intent, params)?;
    allowed(&intent, "update", &["requires_payment_method", "requires_confirmation", "requires_action"])?;
    world.put(&intent);
    Ok(intent)
}

pub(super) fn confirm(world: &mut World, call: &Call, mut params: Params, id: &str) -> Result<Value, Problem> {
    let mut intent = get(world, id)?;
    call.check_secret(&intent, params.text("client_secret")?.as_deref())?;
    let wish = next_actions_wish(&mut params, true)?;
    allowed(&intent, "confirm", &["requires_payment_method", "requires_confirmation", "requires_action"])?;
    change(world, &mut intent, params)?;
    attempt(world, call, &mut intent, wish.as_deref())?;
    Ok(intent)
}

pub(super) fn cancel(world: &mut World, call: &Call, mut params: Params, id: &str) -> Result<Value, Problem> {
    let mut intent = get(world, id)?;
    let reason = params.one_of("cancellation_reason", &["abandoned", "duplicate", "requested_by_customer"])?;
    params.finish()?;
    allowed(&intent, "cancel", &["requires_payment_method", "requires_confirmation", "requires_action"])?;
    intent["status"] = json!("canceled");
    intent["cancellation_reason"] = json!(reason);
    intent["next_action"] = Value::Null;
    world.put(&intent);
    world.tell("setup_intent.canceled", &intent, &call.cause());
    Ok(intent)
}

/// Its holder authenticates, or fails to.
pub(super) fn authenticated(world: &mut World, call: &Call, id: &str, well: bool) -> Result<Value, Problem> {
    let mut intent = get(world, id)?;
    allowed(&intent, "authenticate", &["requires_action"])?;
    intent["next_action"] = Value::Null;
    if well {
        succeed(world, call, &mut intent)?;
    } else {
        let problem = Problem::state(
            "setup_intent_authentication_failure",
            "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
        );
        fail(world, &mut intent, &problem, &call.cause());
    }
    Ok(intent)
}

fn get(world: &World, id: &str) -> Result<Value, Problem> {
    world.get("setup_intent", id, || Problem::no_such("setupintent", id, "intent"))
}

fn allowed(intent: &Value, what: &str, statuses: &[&str]) -> Result<(), Problem> {
    let status = intent["status"].as_str().unwrap_or_default();
    if statuses.contains(&status) {
        return Ok(());
    }
    let message = format!(
        "You cannot {what} this SetupIntent because it has a status of {status}. Only a SetupIntent with one of the \
         following statuses may do so: {}.",
        statuses.join(", ")
    );
    Err(Problem::state("setup_intent_unexpected_state", message).about("setup_intent", intent.clone()))
}

fn change(world: &mut World, intent: &mut Value, mut params: Params) -> Result<(), Problem> {
    if let Some(customer) = params.text("customer")? {
        customers::get(world, &customer, || Problem::reference("customer", &customer, "customer"))?;
        intent["customer"] = json!(customer);
    }
    if let Some(text) = params.settable("description")? {
        intent["description"] = text;
    }
    params.metadata(&mut intent["metadata"])?;
    let method = params.text("payment_method")?;
    params.finish()?;
    if let Some(method) = method {
        let found = methods::resolve(world, &method, "payment_method")?;
        if world.spent.contains(&id_of(&found)) {
            return Err(methods::used_up());
        }
        intent["payment_method"] = found["id"].clone();
        intent["status"] = json!("requires_confirmation");
    }
    Ok(())
}

fn attempt(world: &mut World, call: &Call, intent: &mut Value, wish: Option<&str>) -> Result<(), Problem> {
    let Some(method) = intent["payment_method"].as_str().map(str::to_owned) else {
        let message = "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent \
                       with a payment method and then confirm it again.";
        let problem = Problem::state("setup_intent_unexpected_state", message);
        return Err(problem.about("setup_intent", intent.clone()));
    };
    let Some((nature, _)) = world.natures.get(&method).copied() else {
        return Err(Problem::reference("PaymentMethod", &method, "payment_method"));
    };
    let attempt = world.id("setatt");
    intent["latest_attempt"] = json!(attempt);
    intent["last_setup_error"] = Value::Null;
    if let Refuses::All(decline) = nature.refuses {
        let problem = decline.problem();
        fail(world, intent, &problem, &call.cause());
        return Err(problem.about("setup_intent", intent.clone()));
    }
    match nature.challenge {
        Challenge::Never | Challenge::OnSession => succeed(world, call, intent),
        Challenge::UntilSetUp | Challenge::Always => {
            intent["status"] = json!("requires_action");
            intent["next_action"] = next_action(wish, &id_of(intent));
            world.put(intent);
            world.tell("setup_intent.requires_action", intent, &call.cause());
            Ok(())
        }
    }
}

fn fail(world: &mut World, intent: &mut Value, problem: &Problem, cause: &Cause) {
    let mut error = problem.fields().clone();
    if let Some(method) = intent["payment_method"].as_str().and_then(|id| world.find(id)) {
        error.insert("payment_method".to_owned(), method.clone());
    }
    intent["last_setup_error"] = Value::Object(error);
    intent["payment_method"] = Value::Null;
    intent["status"] = json!("requires_payment_method");
    world.put(intent);
    world.tell("setup_intent.setup_failed", intent, cause);
}

fn succeed(world: &mut World, call: &Call, intent: &mut Value) -> Result<(), Problem> {
    let method = intent["payment_method"].as_str().unwrap_or_default().to_owned();
    if let Some(customer) = intent["customer"].as_str() {
        methods::attached(world, call, &method, customer, "payment_method")?;
    }
    if let Some((nature, is_set_up)) = world.natures.get_mut(&method) {
        *is_set_up = true;
        if nature.kind == Kind::SepaDebit {
            let mandate = world.id("mandate");
            intent["mandate"] = json!(mandate);
        }
    }
    intent["status"] = json!("succeeded");
    world.put(intent);
    world.tell("setup_intent.succeeded", intent, &call.cause());
    Ok(())
}
