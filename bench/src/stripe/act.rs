//! What happens at Stripe without anybody asking it to: a holder authenticates, a debit arrives, a card goes bad.

use std::mem;
use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value};

use super::call::Call;
use super::cards::{self, Challenge, Refuses};
use super::problem::Problem;
use super::state::Shared;
use super::world::World;
use super::{hooks, payments, refunds, setups};

/// A holder authenticates for an intent, or fails to.
pub(super) async fn authenticate(shared: &Arc<Shared>, intent: &str, well: bool) -> Result<Value, String> {
    happen(shared, |world, call| {
        if intent.starts_with("seti_") {
            setups::authenticated(world, call, intent, well)
        } else {
            payments::authenticated(world, call, intent, well)
        }
    })
    .await
}

/// A debit that is under way, or a refund that is pending or fails, comes to its end.
pub(super) async fn settle(shared: &Arc<Shared>, id: &str) -> Result<Value, String> {
    happen(shared, |world, call| refunds::settle_any(world, call, id)).await
}

/// A payment method is declined from now on, or good again.
pub(super) fn decline(shared: &Shared, method: &str, code: Option<&str>) -> Result<(), String> {
    let why = code.map(|code| cards::decline(code).ok_or_else(|| format!("there is no decline code {code}")));
    let why = why.transpose()?;
    shared.with(|state| {
        let (nature, _) = state.world.natures.get_mut(method).ok_or("there is no such payment method")?;
        nature.refuses = Refuses::Nothing;
        nature.challenge = Challenge::Never;
        match why {
            Some(cards::AUTHENTICATE) => nature.challenge = Challenge::Always,
            Some(why) => nature.refuses = Refuses::Charges(why),
            None => {}
        }
        Ok(())
    })
}

async fn happen(
    shared: &Arc<Shared>,
    act: impl FnOnce(&mut World, &Call) -> Result<Value, Problem>,
) -> Result<Value, String> {
    let (done, events) = shared.with(|state| {
        let request = String::new();
        let call = Call {
            method: Method::POST,
            path: String::new(),
            params: Map::new(),
            key: None,
            publishable: false,
            request,
        };
        (act(&mut state.world, &call), mem::take(&mut state.world.untold))
    });
    hooks::tell(shared, events, None).await;
    done.map_err(|problem| problem.body().to_string())
}
