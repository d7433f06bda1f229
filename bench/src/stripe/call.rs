//! A request that has been read, and which endpoint it is for.

use http::Method;
use serde_json::{Map, Value, json};

use super::params::Params;
use super::problem::Problem;
use super::world::{Cause, World};
use super::{balance, customers, expand, list, methods, payments, refunds, search, setups};

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) params: Map<String, Value>,
    /// The idempotency key.
    pub(super) key: Option<String>,
    /// Whether it is a browser's: with a publishable key.
    pub(super) publishable: bool,
    pub(super) request: String,
}

impl Call {
    pub(super) fn cause(&self) -> Cause {
        Cause { request: Some(self.request.clone()), key: self.key.clone() }
    }

    /// Does what is asked.
    pub(super) fn perform(&self, world: &mut World) -> Result<Value, Problem> {
        let mut params = Params::new(self.params.clone());
        let paths = params.list("expand")?.unwrap_or_default();
        let answer = self.answer(world, params)?;
        expand::expanded(world, answer, &paths)
    }

    fn answer(&self, world: &mut World, params: Params) -> Result<Value, Problem> {
        let segments: Vec<&str> = self.path.trim_matches('/').split('/').skip(1).collect();
        let is_post = self.method == Method::POST;
        if self.publishable && !is_browsers(&segments, is_post) {
            return Err(Problem::publishable_key());
        }
        match (is_post, segments.as_slice()) {
            (false, ["events", id]) if self.method == Method::GET => one(world, params, "event", id),
            (false, ["charges", id]) if self.method == Method::GET => one(world, params, "charge", id),
            (false, ["refunds", id]) if self.method == Method::GET => one(world, params, "refund", id),
            (false, ["customers", id]) if self.method == Method::DELETE => customers::delete(world, self, params, id),
            (_, _) if self.method == Method::DELETE => Err(self.no_route()),
            (false, ["balance"]) => balance::get(world, params),
            (false, ["events"]) => list::events(world, params),
            (false, ["charges"]) => list::by(world, params, "charge", &["customer", "payment_intent"], "/v1/charges"),
            (false, ["refunds"]) => list::by(world, params, "refund", &["charge", "payment_intent"], "/v1/refunds"),
            (false, ["customers"]) => list::by(world, params, "customer", &["email"], "/v1/customers"),
            (false, ["customers", "search"]) => search::search(world, params, "customer", "/v1/customers/search"),
            (false, ["customers", id]) => one(world, params, "customer", id),
            (false, ["customers", id, "payment_methods"]) => methods::of(world, params, id),
            (false, ["customers", id, "payment_methods", method]) => methods::one_of(world, params, id, method),
            (true, ["customers"]) => customers::create(world, self, params),
            (true, ["customers", id]) => customers::update(world, self, params, id),
            (false, ["payment_methods"]) => methods::list(world, params),
            (false, ["payment_methods", id]) => one(world, params, "payment_method", id),
            (true, ["payment_methods"]) => methods::create(world, params),
            (true, ["payment_methods", id]) => methods::update(world, self, params, id),
            (true, ["payment_methods", id, "attach"]) => methods::attach(world, self, params, id),
            (true, ["payment_methods", id, "detach"]) => methods::detach(world, self, params, id),
            (false, ["setup_intents"]) => {
                list::by(world, params, "setup_intent", &["customer", "payment_method"], "/v1/setup_intents")
            }
            (false, ["setup_intents", id]) => self.secret(world, params, "setup_intent", id),
            (true, ["setup_intents"]) => setups::create(world, self, params),
            (true, ["setup_intents", id]) => setups::update(world, self, params, id),
            (true, ["setup_intents", id, "confirm"]) => setups::confirm(world, self, params, id),
            (true, ["setup_intents", id, "cancel"]) => setups::cancel(world, self, params, id),
            (false, ["payment_intents"]) => {
                list::by(world, params, "payment_intent", &["customer"], "/v1/payment_intents")
            }
            (false, ["payment_intents", "search"]) => {
                search::search(world, params, "payment_intent", "/v1/payment_intents/search")
            }
            (false, ["payment_intents", id]) => self.secret(world, params, "payment_intent", id),
            (true, ["payment_intents"]) => payments::create(world, self, params),
            (true, ["payment_intents", id]) => payments::update(world, self, params, id),
            (true, ["payment_intents", id, "confirm"]) => payments::confirm(world, self, params, id),
            (true, ["payment_intents", id, "cancel"]) => payments::cancel(world, self, params, id),
            (true, ["payment_intents", id, "capture"]) => payments::capture(world, self, params, id),
            (true, ["refunds"]) => refunds::create(world, self, params),
            (true, ["refunds", id]) => refunds::update(world, self, params, id),
            (_, _) => Err(self.no_route()),
        }
    }

    fn no_route(&self) -> Problem {
        Problem::no_route(self.method.as_str(), &self.path)
    }

    /// An intent, which a browser has to know the secret of.
    fn secret(&self, world: &World, mut params: Params, kind: &str, id: &str) -> Result<Value, Problem> {
        let secret = params.text("client_secret")?;
        params.finish()?;
        let param = if kind == "payment_intent" { "intent" } else { "setup_intent" };
        let found = world.get(kind, id, || Problem::no_such(kind, id, param))?;
        self.check_secret(&found, secret.as_deref())?;
        Ok(found)
    }

    /// A browser has no key but what the intent's secret gives it.
    pub(super) fn check_secret(&self, intent: &Value, secret: Option<&str>) -> Result<(), Problem> {
        let right = secret.map(|secret| intent["client_secret"] == secret);
        match (right, self.publishable) {
            (Some(true), _) | (None, false) => Ok(()),
            (None, true) => Err(Problem::missing_parameter("client_secret")),
            (Some(false), _) => {
                let message = "The client_secret provided does not match the client_secret associated with the intent.";
                Err(Problem::combination(message, "client_secret"))
            }
        }
    }
}

fn is_browsers(segments: &[&str], is_post: bool) -> bool {
    match segments {
        ["payment_intents" | "setup_intents", _, "confirm"] | ["payment_methods"] => is_post,
        ["payment_intents" | "setup_intents", _] => !is_post,
        _ => false,
    }
}

/// One object by its id.
fn one(world: &World, params: Params, kind: &str, id: &str) -> Result<Value, Problem> {
    params.finish()?;
    let found = world.get(kind, id, || Problem::no_such(kind, id, "id"))?;
    if found["deleted"] == true {
        return Ok(json!({"id": id, "object": kind, "deleted": true}));
    }
    Ok(found)
}
