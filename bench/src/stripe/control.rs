//! The routes that Stripe doesn't have: what tests set and see from outside of the process.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::faults::{Mix, Rule};
use super::hooks::{self, Hook, Signature, pretty};
use super::reply::{Pieces, response};
use super::state::Shared;
use super::{act, book};

#[derive(Deserialize)]
#[serde(untagged)]
enum Wrong {
    Rule(Rule),
    Mix(Mix),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    #[serde(default)]
    advance: i64,
    #[serde(default)]
    now: Option<i64>,
    #[serde(default)]
    search_lag: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authenticated {
    intent: String,
    #[serde(default = "yes")]
    well: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settled {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declining {
    payment_method: String,
    /// The code; none: it is good again.
    decline: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivery {
    event: String,
    #[serde(default)]
    signature: Signature,
}

pub(super) async fn answer(
    shared: &Arc<Shared>,
    method: &Method,
    path: &str,
    query: &str,
    body: &Bytes,
) -> Response<Pieces> {
    let (status, body) = match act(shared, method, path, query, body).await {
        Ok(answer) => (200, answer),
        Err(why) => (400, json!({"error": why})),
    };
    response(status, &[("content-type", "application/json".to_owned())], pretty(&body), false)
}

async fn act(shared: &Arc<Shared>, method: &Method, path: &str, query: &str, body: &Bytes) -> Result<Value, String> {
    let done = json!({"done": true});
    match (method.as_str(), path) {
        ("POST", "/_faults") => match read(body)? {
            Wrong::Rule(rule) => shared.with(|state| state.faults.rules.push(rule)),
            Wrong::Mix(mix) => shared.with(|state| state.faults.mix = Some(mix)),
        },
        ("DELETE", "/_faults") => shared.with(|state| state.faults = super::faults::Faults::default()),
        ("POST", "/_clock") => {
            let clock: Clock = read(body)?;
            shared.with(|state| {
                state.world.ahead += clock.advance;
                if let Some(now) = clock.now {
                    state.world.ahead += now - state.world.now();
                }
                if let Some(lag) = clock.search_lag {
                    state.world.search_lag = lag;
                }
            });
        }
        ("POST", "/_authenticate") => {
            let Authenticated { intent, well } = read(body)?;
            return act::authenticate(shared, &intent, well).await;
        }
        ("POST", "/_settle") => {
            let Settled { id } = read(body)?;
            return act::settle(shared, &id).await;
        }
        ("POST", "/_decline") => {
            let Declining { payment_method, decline } = read(body)?;
            act::decline(shared, &payment_method, decline.as_deref())?;
        }
        ("POST", "/_hook") => {
            let hook: Option<Hook> = read(body)?;
            shared.with(|state| state.hook = hook);
        }
        ("POST", "/_deliver") => {
            let Delivery { event, signature } = read(body)?;
            let status = hooks::deliver(shared, &event, signature).await.map_err(|error| error.to_string())?;
            return Ok(json!({"status": status}));
        }
        ("GET", "/_book") => {
            let tag = query.strip_prefix("by=").unwrap_or("invoice");
            return Ok(json!(shared.with(|state| book::book(&state.world, tag))));
        }
        ("GET", "/_requests") => return Ok(json!(shared.with(|state| state.asked.clone()))),
        _ => return Err(format!("the stand-in has no {method} {path}")),
    }
    Ok(done)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}
