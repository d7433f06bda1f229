//! `/v1/refunds`.

use serde_json::{Value, json};

use super::call::Call;
use super::cards::{Kind, RefundEnd};
use super::params::Params;
use super::payments;
use super::problem::Problem;
use super::world::World;

pub(super) fn create(world: &mut World, call: &Call, mut params: Params) -> Result<Value, Problem> {
    let (intent, charge) = (params.text("payment_intent")?, params.text("charge")?);
    let amount = params.integer("amount")?;
    let reason = params.one_of("reason", &["duplicate", "fraudulent", "requested_by_customer"])?;
    let mut metadata = json!({});
    params.metadata(&mut metadata)?;
    params.finish()?;
    if amount.is_some_and(|amount| amount < 1) {
        let message = "This value must be greater than or equal to 1.";
        return Err(Problem::parameter("parameter_invalid_integer", message, "amount"));
    }
    let mut charge = charged(world, intent, charge)?;
    let (taken, refunded) = (count(&charge, "amount_captured"), count(&charge, "amount_refunded"));
    let name = charge["id"].as_str().unwrap_or_default().to_owned();
    let left = taken - refunded;
    if left == 0 {
        let message = format!("Charge {name} has already been refunded.");
        return Err(Problem::state("charge_already_refunded", message));
    }
    let amount = amount.unwrap_or(left);
    if amount > left {
        let message = format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({left})");
        return Err(Problem::combination(&message, "amount").begun());
    }
    let nature = charge["payment_method"].as_str().and_then(|id| world.natures.get(id)).map(|(nature, _)| *nature);
    let is_pending = nature.is_some_and(|nature| nature.refund == RefundEnd::Pending || nature.kind == Kind::SepaDebit);
    let kind = nature.map_or("card", |nature| nature.kind.name());
    let (id, transaction) = (world.id("re"), world.id("txn"));
    let mut destination = json!({"type": kind});
    destination[kind] = match kind {
        "card" => {
            json!({"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"})
        }
        _ => json!({}),
    };
    let refund = json!({
        "id": id, "object": "refund", "amount": amount, "balance_transaction": transaction, "charge": name,
        "created": world.now(), "currency": charge["currency"], "customer": charge["customer"],
        "customer_account": null, "destination_details": destination, "metadata": metadata,
        "payment_intent": charge["payment_intent"], "payment_method": charge["payment_method"], "reason": reason,
        "receipt_number": null, "source_transfer_reversal": null,
        "status": if is_pending { "pending" } else { "succeeded" }, "transfer_reversal": null,
    });
    world.put(&refund);
    let before = charge.clone();
    charge["amount_refunded"] = json!(refunded + amount);
    charge["refunded"] = json!(refunded + amount == taken);
    world.put(&charge);
    world.tell("refund.created", &refund, &call.cause());
    world.tell_change("charge.refunded", &charge, Some(&before), &call.cause());
    Ok(refund)
}

pub(super) fn update(world: &mut World, call: &Call, mut params: Params, id: &str) -> Result<Value, Problem> {
    let before = world.get("refund", id, || Problem::no_such("refund", id, "id"))?;
    let mut refund = before.clone();
    params.metadata(&mut refund["metadata"])?;
    params.finish()?;
    world.put(&refund);
    world.tell_change("refund.updated", &refund, Some(&before), &call.cause());
    Ok(refund)
}

/// A refund comes to its end: a pending one succeeds, and one that fails comes back.
pub(super) fn settle(world: &mut World, call: &Call, id: &str) -> Result<Value, Problem> {
    let before = world.get("refund", id, || Problem::no_such("refund", id, "id"))?;
    let mut refund = before.clone();
    let method = refund["payment_method"].as_str().unwrap_or_default();
    let fails = world.natures.get(method).is_some_and(|(nature, _)| nature.refund == RefundEnd::Fails);
    if refund["status"] == "failed" || (!fails && refund["status"] != "pending") {
        return Err(Problem::request("The refund is at its end."));
    }
    if fails {
        refund["status"] = json!("failed");
        refund["failure_reason"] = json!("expired_or_canceled_card");
        let transaction = world.id("txn");
        refund["failure_balance_transaction"] = json!(transaction);
        if let Some(mut charge) = refund["charge"].as_str().and_then(|id| world.find(id)).cloned() {
            charge["amount_refunded"] = json!(count(&charge, "amount_refunded") - count(&refund, "amount"));
            charge["refunded"] = json!(false);
            world.put(&charge);
        }
    } else {
        refund["status"] = json!("succeeded");
    }
    world.put(&refund);
    if fails {
        world.tell("refund.failed", &refund, &call.cause());
    }
    world.tell_change("refund.updated", &refund, Some(&before), &call.cause());
    Ok(refund)
}

fn count(object: &Value, name: &str) -> i64 {
    object[name].as_i64().unwrap_or_default()
}

/// The charge that is to be refunded: one that took money.
fn charged(world: &World, intent: Option<String>, charge: Option<String>) -> Result<Value, Problem> {
    let charge = match (intent, charge) {
        (_, Some(charge)) => world.get("charge", &charge, || Problem::reference("charge", &charge, "charge"))?,
        (Some(id), None) => {
            let intent =
                world.get("payment_intent", &id, || Problem::reference("payment_intent", &id, "payment_intent"))?;
            let found = intent["latest_charge"].as_str().and_then(|id| world.find(id)).cloned();
            found.ok_or_else(|| {
                Problem::combination(
                    "This PaymentIntent does not have a successful charge to refund.",
                    "payment_intent",
                )
                .begun()
            })?
        }
        (None, None) => {
            let message = "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(Problem::combination(message, "payment_intent"));
        }
    };
    if charge["status"] == "succeeded" {
        return Ok(charge);
    }
    let message = "This PaymentIntent does not have a successful charge to refund.";
    Err(Problem::combination(message, "payment_intent").begun())
}

/// The intent or refund of an id comes to its end.
pub(super) fn settle_any(world: &mut World, call: &Call, id: &str) -> Result<Value, Problem> {
    if id.starts_with("re_") {
        return settle(world, call, id);
    }
    let mut intent = payments::get(world, id)?;
    super::pay::settle(world, call, &mut intent)?;
    Ok(intent)
}
