//! `/v1/balance`: what came and wasn't sent back, without fees.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::params::Params;
use super::problem::Problem;
use super::world::World;

pub(super) fn get(world: &World, params: Params) -> Result<Value, Problem> {
    params.finish()?;
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for charge in world.all("charge").filter(|charge| charge["status"] == "succeeded") {
        let net = charge["amount_captured"].as_i64().unwrap_or_default()
            - charge["amount_refunded"].as_i64().unwrap_or_default();
        *sums.entry(charge["currency"].as_str().unwrap_or_default()).or_default() += net;
    }
    let entry = |(currency, amount): (&&str, &i64)| json!({"amount": amount, "currency": currency, "source_types": {"card": amount}});
    let available: Vec<Value> = sums.iter().map(entry).collect();
    let pending: Vec<Value> = sums.keys().map(|currency| entry((currency, &0))).collect();
    Ok(json!({"object": "balance", "available": available, "livemode": false, "pending": pending}))
}
