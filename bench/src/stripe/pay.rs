//! What happens when a payment is tried: it is there, under way, waits for its holder, or is declined.

use serde_json::{Value, json};

use super::call::Call;
use super::cards::{self, Challenge, Decline, Kind, Nature, Refuses};
use super::methods::{self, id_of, no_billing_details};
use super::payments::next_action;
use super::problem::Problem;
use super::world::World;

/// How its holder takes part.
#[derive(Debug)]
pub(super) enum How<'a> {
    OffSession,
    /// There, and where to come back to.
    OnSession(Option<&'a str>),
    Authenticated,
    NotAuthenticated,
}

/// Tries to pay with the intent's payment method.
pub(super) fn attempt(world: &mut World, call: &Call, intent: &mut Value, how: &How<'_>) -> Result<(), Problem> {
    let method = intent["payment_method"].as_str().unwrap_or_default().to_owned();
    let Some((nature, is_set_up)) = world.natures.get(&method).copied() else {
        return Err(Problem::reference("PaymentMethod", &method, "payment_method"));
    };
    intent["last_payment_error"] = Value::Null;
    let is_challenged = match (nature.challenge, how) {
        (_, How::Authenticated | How::NotAuthenticated)
        | (Challenge::Never, _)
        | (Challenge::OnSession, How::OffSession) => false,
        (Challenge::UntilSetUp, How::OffSession) => !is_set_up,
        (Challenge::Always | Challenge::UntilSetUp | Challenge::OnSession, _) => true,
    };
    match (how, nature.refuses) {
        (How::NotAuthenticated, _) => {
            let problem = Problem::state(
                "payment_intent_authentication_failure",
                "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new \
                 PaymentMethod to attempt to fulfill this PaymentIntent again.",
            );
            fail(world, call, intent, problem, None)
        }
        (How::OffSession, _) if is_challenged => decline(world, call, intent, nature, cards::AUTHENTICATE),
        (How::OnSession(wish), _) if is_challenged => {
            intent["status"] = json!("requires_action");
            intent["next_action"] = next_action(*wish, &id_of(intent));
            world.put(intent);
            world.tell("payment_intent.requires_action", intent, &call.cause());
            Ok(())
        }
        // A debit's end is seen later.
        (_, Refuses::All(why) | Refuses::Charges(why)) if nature.kind == Kind::Card => {
            decline(world, call, intent, nature, why)
        }
        (_, _) => {
            succeed(world, call, intent, nature);
            Ok(())
        }
    }
}

/// A debit arrives, or is given back.
pub(super) fn settle(world: &mut World, call: &Call, intent: &mut Value) -> Result<(), Problem> {
    let charge = intent["latest_charge"].as_str().and_then(|id| world.find(id)).cloned();
    let (Some(mut charge), true) = (charge, intent["status"] == "processing") else {
        return Err(Problem::request("The intent isn't processing."));
    };
    let method = charge["payment_method"].as_str().unwrap_or_default();
    match world.natures.get(method).map(|(nature, _)| nature.refuses) {
        Some(Refuses::All(why) | Refuses::Charges(why)) => {
            charge["status"] = json!("failed");
            charge["paid"] = json!(false);
            charge["captured"] = json!(false);
            charge["amount_captured"] = json!(0);
            charge["failure_code"] = json!(why.code);
            charge["failure_message"] = json!(why.message);
            world.put(&charge);
            world.tell("charge.failed", &charge, &call.cause());
            // That it failed is what is to be told.
            let _ = fail(world, call, intent, why.problem(), Some(&charge));
        }
        Some(Refuses::Nothing) | None => {
            charge["status"] = json!("succeeded");
            charge["paid"] = json!(true);
            let transaction = world.id("txn");
            charge["balance_transaction"] = json!(transaction);
            world.put(&charge);
            world.tell("charge.succeeded", &charge, &call.cause());
            received(world, call, intent, intent["amount"].as_i64().unwrap_or_default());
        }
    }
    Ok(())
}

/// A reserved amount is taken.
pub(super) fn captured(world: &mut World, call: &Call, intent: &mut Value, amount: i64) {
    if let Some(mut charge) = intent["latest_charge"].as_str().and_then(|id| world.find(id)).cloned() {
        let transaction = world.id("txn");
        charge["captured"] = json!(true);
        charge["amount_captured"] = json!(amount);
        charge["balance_transaction"] = json!(transaction);
        world.put(&charge);
        world.tell("charge.captured", &charge, &call.cause());
    }
    intent["amount_capturable"] = json!(0);
    received(world, call, intent, amount);
}

fn received(world: &mut World, call: &Call, intent: &mut Value, amount: i64) {
    intent["status"] = json!("succeeded");
    intent["amount_received"] = json!(amount);
    intent["processing"] = Value::Null;
    world.put(intent);
    world.tell("payment_intent.succeeded", intent, &call.cause());
}

fn succeed(world: &mut World, call: &Call, intent: &mut Value, nature: Nature) {
    let amount = intent["amount"].as_i64().unwrap_or_default();
    let is_manual = intent["capture_method"] == "manual";
    let is_debit = nature.kind == Kind::SepaDebit;
    let mut charge = charge(world, intent, nature);
    charge["status"] = json!(if is_debit { "pending" } else { "succeeded" });
    charge["paid"] = json!(!is_debit);
    if !is_manual {
        charge["captured"] = json!(true);
        charge["amount_captured"] = json!(amount);
    }
    if !is_manual && !is_debit {
        let transaction = world.id("txn");
        charge["balance_transaction"] = json!(transaction);
    }
    charge["outcome"] = json!({
        "advice_code": null, "network_advice_code": null, "network_decline_code": null,
        "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 12,
        "seller_message": "Payment complete.", "type": "authorized",
    });
    intent["latest_charge"] = charge["id"].clone();
    save_for_later(world, call, intent);
    world.put(&charge);
    world.tell(if is_debit { "charge.pending" } else { "charge.succeeded" }, &charge, &call.cause());
    match (is_debit, is_manual) {
        (true, _) => {
            intent["status"] = json!("processing");
            world.put(intent);
            world.tell("payment_intent.processing", intent, &call.cause());
        }
        (false, true) => {
            intent["status"] = json!("requires_capture");
            intent["amount_capturable"] = json!(amount);
            world.put(intent);
            world.tell("payment_intent.amount_capturable_updated", intent, &call.cause());
        }
        (false, false) => received(world, call, intent, amount),
    }
}

/// `setup_future_usage`: what paid once can pay again.
fn save_for_later(world: &mut World, call: &Call, intent: &Value) {
    let (Some(customer), Some(method)) = (intent["customer"].as_str(), intent["payment_method"].as_str()) else {
        return;
    };
    if intent["setup_future_usage"].is_null() {
        return;
    }
    if methods::attached(world, call, method, customer, "payment_method").is_ok()
        && let Some((_, is_set_up)) = world.natures.get_mut(method)
    {
        *is_set_up = true;
    }
}

fn decline(world: &mut World, call: &Call, intent: &mut Value, nature: Nature, why: Decline) -> Result<(), Problem> {
    let mut charge = charge(world, intent, nature);
    charge["status"] = json!("failed");
    charge["failure_code"] = json!(why.code);
    charge["failure_message"] = json!(why.message);
    charge["outcome"] = json!({
        "advice_code": "try_again_later", "network_advice_code": null, "network_decline_code": null,
        "network_status": "declined_by_network", "reason": why.reason, "risk_level": "normal", "risk_score": 30,
        "seller_message": "The bank did not return any further details with this decline.", "type": "issuer_declined",
    });
    world.put(&charge);
    world.tell("charge.failed", &charge, &call.cause());
    fail(world, call, intent, why.problem(), Some(&charge))
}

/// The intent wants another payment method, and says why.
fn fail(
    world: &mut World,
    call: &Call,
    intent: &mut Value,
    problem: Problem,
    charge: Option<&Value>,
) -> Result<(), Problem> {
    let mut problem = problem;
    if let Some(charge) = charge {
        intent["latest_charge"] = charge["id"].clone();
        problem = problem.about("charge", charge["id"].clone());
    }
    if let Some(method) = intent["payment_method"].as_str().and_then(|id| world.find(id)) {
        problem = problem.about("payment_method", method.clone());
    }
    intent["last_payment_error"] = Value::Object(problem.fields().clone());
    intent["payment_method"] = Value::Null;
    intent["processing"] = Value::Null;
    intent["status"] = json!("requires_payment_method");
    world.put(intent);
    world.tell("payment_intent.payment_failed", intent, &call.cause());
    Err(problem.about("payment_intent", intent.clone()))
}

fn charge(world: &mut World, intent: &Value, nature: Nature) -> Value {
    let (id, mut details) = (world.id("ch"), json!({"type": nature.kind.name()}));
    let method = intent["payment_method"].as_str().and_then(|id| world.find(id)).cloned().unwrap_or_default();
    details[nature.kind.name()] = match nature.kind {
        Kind::Card => json!({
            "amount_authorized": intent["amount"], "authorization_code": null, "brand": nature.brand,
            "checks": {"address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass"},
            "country": "US", "electronic_commerce_indicator": null, "exp_month": 12, "exp_year": 2034,
            "extended_authorization": {"status": "disabled"}, "fingerprint": method["card"]["fingerprint"],
            "funding": "credit", "incremental_authorization": {"status": "unavailable"}, "installments": null,
            "last4": nature.last4, "mandate": null, "multicapture": {"status": "unavailable"},
            "network": nature.brand, "network_token": {"used": false}, "network_transaction_id": null,
            "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
            "regulated_status": "unregulated", "three_d_secure": null, "transaction_link_id": null, "wallet": null,
        }),
        Kind::SepaDebit => json!({
            "bank_code": "37040044", "branch_code": "", "country": "DE",
            "fingerprint": method["sepa_debit"]["fingerprint"], "last4": nature.last4, "mandate": null,
        }),
    };
    let billing = if method.is_null() { no_billing_details() } else { method["billing_details"].clone() };
    json!({
        "id": id, "object": "charge", "amount": intent["amount"], "amount_captured": 0, "amount_refunded": 0,
        "application": null, "application_fee": null, "application_fee_amount": null, "balance_transaction": null,
        "billing_details": billing, "calculated_statement_descriptor": "LMO", "captured": false,
        "created": world.now(), "currency": intent["currency"], "customer": intent["customer"],
        "description": intent["description"], "disputed": false, "failure_balance_transaction": null,
        "failure_code": null, "failure_message": null, "fraud_details": {}, "livemode": false,
        "metadata": intent["metadata"], "on_behalf_of": null, "outcome": null, "paid": false,
        "payment_intent": intent["id"], "payment_method": intent["payment_method"],
        "payment_method_details": details, "radar_options": {}, "receipt_email": intent["receipt_email"],
        "receipt_number": null, "receipt_url": format!("https://pay.stripe.com/receipts/payment/{id}"),
        "refunded": false, "review": null, "shipping": null, "source": null, "source_transfer": null,
        "statement_descriptor": null, "statement_descriptor_suffix": null, "status": "failed",
        "transfer_data": null, "transfer_group": null,
    })
}
