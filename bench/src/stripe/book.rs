//! What really moved, for tests to compare with what somebody believes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::world::World;

/// What happened for one value of a tag in the payments' metadata, such as one invoice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Paid {
    /// How many payments were begun.
    pub intents: usize,
    /// How many of them took money.
    pub succeeded: usize,
    /// How many are on their way.
    pub processing: usize,
    /// What was taken, by currency, in its units.
    pub charged: BTreeMap<String, i64>,
    /// What was sent back, by currency, in its units.
    pub refunded: BTreeMap<String, i64>,
}

/// The book by a tag.
pub(super) fn book(world: &World, tag: &str) -> BTreeMap<String, Paid> {
    let mut book: BTreeMap<String, Paid> = BTreeMap::new();
    let value = |object: &Value| object["metadata"][tag].as_str().map(str::to_owned);
    for intent in world.all("payment_intent") {
        let Some(of) = value(intent) else { continue };
        let paid = book.entry(of).or_default();
        paid.intents += 1;
        paid.succeeded += usize::from(intent["status"] == "succeeded");
        paid.processing += usize::from(intent["status"] == "processing");
    }
    for charge in world.all("charge").filter(|charge| charge["status"] == "succeeded") {
        let Some(of) = value(charge) else { continue };
        let paid = book.entry(of).or_default();
        let currency = charge["currency"].as_str().unwrap_or_default();
        for (sums, field) in [(&mut paid.charged, "amount_captured"), (&mut paid.refunded, "amount_refunded")] {
            let amount = charge[field].as_i64().unwrap_or_default();
            if amount > 0 {
                *sums.entry(currency.to_owned()).or_default() += amount;
            }
        }
    }
    book
}
