//! `/v1/payment_intents` (docs.stripe.com/payments/paymentintents/lifecycle).

use serde_json::{Value, json};

use super::call::Call;
use super::customers;
use super::methods::{self, id_of};
use super::params::Params;
use super::pay::{self, How};
use super::problem::Problem;
use super::world::World;

const OPEN: [&str; 3] = ["requires_payment_method", "requires_confirmation", "requires_action"];
/// The least that can be charged, in units (docs.stripe.com/currencies, "Minimum and maximum charge amounts").
const LEAST: [(&str, i64); 9] = [
    ("usd", 50),
    ("eur", 50),
    ("gbp", 30),
    ("chf", 50),
    ("jpy", 50),
    ("dkk", 250),
    ("sek", 300),
    ("nok", 300),
    ("pln", 200),
];
const MOST: i64 = 99_999_999;

pub(super) fn create(world: &mut World, call: &Call, mut params: Params) -> Result<Value, Problem> {
    let amount = params.integer("amount")?.ok_or_else(|| Problem::missing_parameter("amount"))?;
    let currency = params.needed("currency")?.to_lowercase();
    check_amount(amount, &currency)?;
    let (kinds, automatic) = kinds(&mut params)?;
    let confirm = params.flag("confirm")?.unwrap_or(false);
    let off_session = off_session(&mut params, confirm)?;
    let wish = next_actions_wish(&mut params, confirm)?;
    let capture = params.one_of("capture_method", &["automatic", "automatic_async", "manual"])?;
    let confirmation = params.one_of("confirmation_method", &["automatic", "manual"])?;
    let id = world.id("pi");
    let secret = world.id("secret");
    let mut intent = json!({
        "id": id, "object": "payment_intent", "allowed_payment_method_types": null, "amount": amount,
        "amount_capturable": 0, "amount_details": {"tip": {}}, "amount_received": 0, "application": null,
        "application_fee_amount": null, "automatic_payment_methods": automatic, "canceled_at": null,
        "cancellation_reason": null, "capture_method": capture.as_deref().unwrap_or("automatic_async"),
        "client_secret": format!("{id}_{secret}"),
        "confirmation_method": confirmation.as_deref().unwrap_or("automatic"), "created": world.now(),
        "currency": currency, "customer": null, "customer_account": null, "description": null,
        "excluded_payment_method_types": null, "last_payment_error": null, "latest_charge": null, "livemode": false,
        "managed_payments": null, "metadata": {}, "next_action": null, "on_behalf_of": null, "payment_method": null,
        "payment_method_configuration_details": null, "payment_method_options": {}, "payment_method_types": kinds,
        "payment_record": null, "processing": null, "receipt_email": null, "review": null,
        "setup_future_usage": null, "shipping": null, "source": null, "statement_descriptor": null,
        "statement_descriptor_suffix": null, "status": "requires_payment_method", "transfer_data": null,
        "transfer_group": null,
    });
    change(world, &mut intent, params)?;
    if confirm {
        check_ways_out(&intent, off_session, wish.as_deref())?;
    }
    world.put(&intent);
    world.tell("payment_intent.created", &intent, &call.cause());
    if confirm {
        attempt(world, call, &mut intent, off_session, wish.as_deref())?;
    }
    Ok(intent)
}

pub(super) fn update(world: &mut World, _: &Call, mut params: Params, id: &str) -> Result<Value, Problem> {
    let mut intent = get(world, id)?;
    let (amount, currency) = (params.integer("amount")?, params.text("currency")?);
    let is_open = allowed(&intent, "update", &OPEN);
    if amount.is_some() || currency.is_some() {
        is_open?;
        let amount = amount.or(intent["amount"].as_i64()).unwrap_or_default();
        let currency = currency.unwrap_or_else(|| intent["currency"].as_str().unwrap_or_default().to_owned());
        check_amount(amount, &currency)?;
        intent["amount"] = json!(amount);
        intent["currency"] = json!(currency.to_lowercase());
    }
    change(world, &mut intent, params)?;
    world.put(&intent);
    Ok(intent)
}

pub(super) fn confirm(world: &mut World, call: &Call, mut params: Params, id: &str) -> Result<Value, Problem> {
    let mut intent = get(world, id)?;
    call.check_secret(&intent, params.text("client_secret")?.as_deref())?;
    let off_session = off_session(&mut params, true)?;
    let wish = next_actions_wish(&mut params, true)?;
    allowed(&intent, "confirm", &OPEN)?;
    change(world, &mut intent, params)?;
    check_ways_out(&intent, off_session, wish.as_deref())?;
    attempt(world, call, &mut intent, off_session, wish.as_deref())?;
    Ok(intent)
}

pub(super) fn cancel(world: &mut World, call: &Call, mut params: Params, id: &str) -> Result<Value, Problem> {
    let mut intent = get(world, id)?;
    let reasons = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"];
    let reason = params.one_of("cancellation_reason", &reasons)?;
    params.finish()?;
    allowed(&intent, "cancel", &[&OPEN[..], &["requires_capture"]].concat())?;
    intent["status"] = json!("canceled");
    intent["canceled_at"] = json!(world.now());
    intent["cancellation_reason"] = json!(reason);
    intent["amount_capturable"] = json!(0);
    intent["next_action"] = Value::Null;
    world.put(&intent);
    world.tell("payment_intent.canceled", &intent, &call.cause());
    Ok(intent)
}

pub(super) fn capture(world: &mut World, call: &Call, mut params: Params, id: &str) -> Result<Value, Problem> {
    let mut intent = get(world, id)?;
    let amount = params.integer("amount_to_capture")?;
    params.finish()?;
    allowed(&intent, "capture", &["requires_capture"])?;
    let capturable = intent["amount_capturable"].as_i64().unwrap_or_default();
    let amount = amount.unwrap_or(capturable);
    if !(1..=capturable).contains(&amount) {
        let message = "The remaining amount that can be captured for this charge is less than the amount you tried to \
                       capture.";
        return Err(Problem::parameter("amount_too_large", message, "amount_to_capture").begun());
    }
    pay::captured(world, call, &mut intent, amount);
    Ok(intent)
}

/// Its holder authenticates, or fails to.
pub(super) fn authenticated(world: &mut World, call: &Call, id: &str, well: bool) -> Result<Value, Problem> {
    let mut intent = get(world, id)?;
    allowed(&intent, "authenticate", &["requires_action"])?;
    intent["next_action"] = Value::Null;
    // A decline after the authentication is something that the intent says, and no failure of authenticating.
    let _ = pay::attempt(world, call, &mut intent, &if well { How::Authenticated } else { How::NotAuthenticated });
    Ok(intent)
}

fn attempt(
    world: &mut World,
    call: &Call,
    intent: &mut Value,
    off_session: bool,
    wish: Option<&str>,
) -> Result<(), Problem> {
    if intent["payment_method"].is_null() {
        let message = "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update \
                       the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with \
                       a payment method or ConfirmationToken.";
        world.put(intent);
        let problem = Problem::state("payment_intent_unexpected_state", message);
        return Err(problem.about("payment_intent", intent.clone()));
    }
    pay::attempt(world, call, intent, &if off_session { How::OffSession } else { How::OnSession(wish) })
}

pub(super) fn get(world: &World, id: &str) -> Result<Value, Problem> {
    world.get("payment_intent", id, || Problem::no_such("payment_intent", id, "intent"))
}

fn allowed(intent: &Value, what: &str, statuses: &[&str]) -> Result<(), Problem> {
    let status = intent["status"].as_str().unwrap_or_default();
    if statuses.contains(&status) {
        return Ok(());
    }
    let message = if what == "confirm" && status == "succeeded" {
        "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
            .to_owned()
    } else {
        format!(
            "You cannot {what} this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one of the \
             following statuses may do so: {}.",
            statuses.join(", ")
        )
    };
    Err(Problem::state("payment_intent_unexpected_state", message).about("payment_intent", intent.clone()))
}

fn check_amount(amount: i64, currency: &str) -> Result<(), Problem> {
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(Problem::combination(&format!("Invalid currency: {currency}."), "currency"));
    }
    if amount < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(Problem::parameter("parameter_invalid_integer", message, "amount"));
    }
    let least = LEAST.iter().find(|(code, _)| code.eq_ignore_ascii_case(currency)).map_or(1, |(_, least)| *least);
    let (code, message) = match amount {
        ..=MOST if amount < least => ("amount_too_small", format!("Amount must be at least {least} {currency}")),
        ..=MOST => return Ok(()),
        _ => ("amount_too_large", format!("Amount must be no more than {MOST} {currency}")),
    };
    Err(Problem::parameter(code, message, "amount"))
}

fn change(world: &mut World, intent: &mut Value, mut params: Params) -> Result<(), Problem> {
    if let Some(customer) = params.text("customer")? {
        customers::get(world, &customer, || Problem::reference("customer", &customer, "customer"))?;
        intent["customer"] = json!(customer);
    }
    for name in
        ["description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix", "transfer_group"]
    {
        if let Some(text) = params.settable(name)? {
            intent[name] = text;
        }
    }
    if let Some(usage) = params.one_of("setup_future_usage", &["off_session", "on_session"])? {
        intent["setup_future_usage"] = json!(usage);
    }
    params.metadata(&mut intent["metadata"])?;
    let method = params.text("payment_method")?;
    params.finish()?;
    if let Some(method) = method {
        let found = methods::resolve(world, &method, "payment_method")?;
        check_owner(&found, &intent["customer"])?;
        if world.spent.contains(&id_of(&found)) {
            return Err(methods::used_up());
        }
        let is_allowed = intent["payment_method_types"].as_array().is_some_and(|all| all.contains(&found["type"]));
        if !is_allowed {
            let message = format!(
                "The PaymentMethod provided ({}) is not allowed for this PaymentIntent. Please attach a PaymentMethod with \
                 one of the following types: {}.",
                found["type"], intent["payment_method_types"]
            );
            return Err(Problem::combination(&message, "payment_method").begun());
        }
        intent["payment_method"] = found["id"].clone();
        if intent["status"] == "requires_payment_method" {
            intent["status"] = json!("requires_confirmation");
        }
    }
    Ok(())
}

fn check_owner(method: &Value, customer: &Value) -> Result<(), Problem> {
    let (Some(owner), Some(id)) = (method["customer"].as_str(), method["id"].as_str()) else { return Ok(()) };
    let message = match customer.as_str() {
        Some(customer) if customer == owner => return Ok(()),
        Some(customer) => format!(
            "The PaymentMethod {id} does not belong to the Customer you supplied {customer}. Please use this PaymentMethod \
             with the Customer that it belongs to instead."
        ),
        None => format!(
            "The payment method supplied ({id}) belongs to the Customer {owner}. Please include the Customer in the \
             `customer` parameter on the PaymentIntent."
        ),
    };
    Err(Problem::combination(&message, "payment_method").begun())
}

/// The types of payment methods that an intent takes, and its `automatic_payment_methods`: without any types, all that the
/// account has switched on.
pub(super) fn kinds(params: &mut Params) -> Result<(Vec<String>, Value), Problem> {
    let kinds = params.list("payment_method_types")?;
    let automatic = params.object("automatic_payment_methods")?;
    let mut allow = "always".to_owned();
    let is_automatic = match automatic {
        None => kinds.is_none(),
        Some(mut automatic) => {
            let enabled = automatic.flag("enabled")?.unwrap_or(false);
            allow = automatic.one_of("allow_redirects", &["always", "never"])?.unwrap_or(allow);
            automatic.finish()?;
            enabled
        }
    };
    match (kinds, is_automatic) {
        (Some(_), true) => {
            let message =
                "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.";
            Err(Problem::combination(message, "payment_method_types"))
        }
        (None, true) => {
            let all = ["card", "sepa_debit"].map(str::to_owned).to_vec();
            Ok((all, json!({"allow_redirects": allow, "enabled": true})))
        }
        (kinds, false) => Ok((kinds.unwrap_or_else(|| vec!["card".to_owned()]), Value::Null)),
    }
}

fn off_session(params: &mut Params, confirm: bool) -> Result<bool, Problem> {
    let off_session = params.flag("off_session")?;
    if off_session.is_some() && !confirm {
        return Err(Problem::combination("off_session can only be used when confirm=true.", "off_session"));
    }
    Ok(off_session.unwrap_or(false))
}

/// Where the holder is to come back to after authenticating.
pub(super) fn next_actions_wish(params: &mut Params, confirm: bool) -> Result<Option<String>, Problem> {
    let wish = params.text("return_url")?;
    if wish.is_some() && !confirm {
        return Err(Problem::combination(
            "The parameter return_url cannot be passed when confirm is not true.",
            "return_url",
        ));
    }
    Ok(wish)
}

/// Whoever takes all payment methods takes such as lead away, and has to say where to come back to.
fn check_ways_out(intent: &Value, off_session: bool, wish: Option<&str>) -> Result<(), Problem> {
    let leads_away = intent["automatic_payment_methods"]["allow_redirects"] == "always";
    if !leads_away || off_session || wish.is_some() {
        return Ok(());
    }
    Err(Problem::combination(
        "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment \
         methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept \
         redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and \
         `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.",
        "return_url",
    ))
}

/// What an authentication looks like to whoever has to lead the holder to it.
pub(super) fn next_action(wish: Option<&str>, id: &str) -> Value {
    let url = format!("https://hooks.stripe.com/3d_secure_2/hosted?merchant=acct_standin&intent={id}");
    match wish {
        Some(back) => json!({"redirect_to_url": {"return_url": back, "url": url}, "type": "redirect_to_url"}),
        None => json!({
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"source": id, "stripe_js": url, "type": "three_d_secure_redirect"},
        }),
    }
}
