//! Stripe's stand-in: its wire format on a local port, with one account in test mode, real idempotency, signed webhooks,
//! and faults on request.
//!
//! It has what LMO and a browser ask for: customers, payment methods, setup intents, payment intents (list and search
//! too), refunds, charges, events and the balance. Objects have all fields that Stripe's have, as the types of its
//! official SDK say; parameters that it doesn't know are refused, so that a misspelt one can't make a test pass. Prices,
//! subscriptions, invoices and connected accounts it doesn't have: LMO makes its own.
//!
//! Payment methods are Stripe's test ones: tokens (`pm_card_visa`, `pm_card_chargeCustomerFail`,
//! `pm_card_authenticationRequired`, ...), numbers and IBANs do what docs.stripe.com/testing says.
//!
//! # What Stripe doesn't have
//!
//! | request | effect |
//! |---|---|
//! | `POST /_faults` `{"fault": "lost", "path": "/v1/payment_intents", "times": 1}` | a [`Rule`]: what goes wrong with the next requests that fit |
//! | `POST /_faults` `{"seed": 1, "percent": 20, "faults": ["lost", "late"]}` | a [`Mix`]: what goes wrong by chance |
//! | `DELETE /_faults` | nothing goes wrong any more |
//! | `POST /_clock` `{"advance": 86400}` or `{"now": 1800000000}`, `{"search_lag": 60}` | another time; how late the search knows |
//! | `POST /_authenticate` `{"intent": "pi_...", "well": true}` | the holder authenticates, or (`false`) fails to |
//! | `POST /_settle` `{"id": "pi_..."}` | a debit under way, or a refund, comes to its end |
//! | `POST /_decline` `{"payment_method": "pm_...", "decline": "insufficient_funds"}` | a saved card goes bad, or (`null`) is good |
//! | `POST /_hook` `{"url": "...", "secret": "whsec_..."}` | who is told of events; `null`: nobody |
//! | `POST /_deliver` `{"event": "evt_...", "signature": "wrong"}` | an event is posted (again), with this [`Signature`] |
//! | `GET /_book?by=invoice` | what was really paid, by a tag in the metadata: [`Paid`] |
//! | `GET /_requests` | what came: [`Asked`] |

mod act;
mod balance;
mod book;
mod call;
mod cards;
mod control;
mod customers;
mod expand;
mod faults;
mod form;
mod hooks;
mod keys;
mod list;
mod methods;
mod params;
mod pay;
mod payments;
mod problem;
mod refunds;
mod reply;
mod search;
mod service;
mod setups;
mod state;
#[cfg(test)]
mod tests;
mod world;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use serde_json::Value;
use tokio::sync::oneshot;

pub use book::Paid;
pub use faults::{Fault, Mix, Rule};
pub use hooks::{Hook, Signature, sign};
pub use state::Asked;

use state::Shared;

/// How a stand-in is started.
#[derive(Debug, Clone)]
pub struct StripeOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The one secret key that is good; unless it is given, all that begin with `sk_test_` or `rk_test_` are.
    pub secret_key: Option<String>,
    /// Who is told of events.
    pub hook: Option<Hook>,
    /// How long the search doesn't find what is new, in seconds.
    pub search_lag: i64,
    /// The version of requests that ask for none, and of events.
    pub version: String,
}

impl Default for StripeOptions {
    fn default() -> Self {
        Self { port: 0, secret_key: None, hook: None, search_lag: 0, version: "2026-09-30.endive".to_owned() }
    }
}

/// A running stand-in on a thread and a runtime of its own. It stops, and closes its connections, when dropped.
#[derive(Debug)]
pub struct StripeStandin {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StripeStandin {
    /// Binds the port and starts to answer; connections are accepted from the moment this returns.
    ///
    /// # Errors
    /// The port is taken, or the operating system gives no socket, runtime or thread.
    pub fn start(options: StripeOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options));
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let service = Arc::clone(&shared);
        let thread = thread::Builder::new().name("stripe".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = service::serve(listener, service) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { addr, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// What takes the place of `https://api.stripe.com`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Has events told to somebody, or to nobody.
    pub fn tell(&self, hook: Option<Hook>) {
        self.shared.with(|state| state.hook = hook);
    }

    /// Has something go wrong with the next requests that fit.
    pub fn fault(&self, rule: Rule) {
        self.shared.with(|state| state.faults.rules.push(rule));
    }

    /// Has things go wrong by chance, or (`None`) no more; rules that are left go too.
    pub fn faults(&self, mix: Option<Mix>) {
        self.shared.with(|state| {
            state.faults.rules.clear();
            state.faults.mix = mix;
        });
    }

    /// Sets its clock, in seconds since the epoch; it runs on from there.
    pub fn set_now(&self, now: i64) {
        self.shared.with(|state| state.world.ahead += now - state.world.now());
    }

    /// Sets its clock forward, by seconds.
    pub fn advance(&self, seconds: i64) {
        self.shared.with(|state| state.world.ahead += seconds);
    }

    /// What was really paid, by a tag in the payments' metadata.
    #[must_use]
    pub fn book(&self, tag: &str) -> BTreeMap<String, Paid> {
        self.shared.with(|state| book::book(&state.world, tag))
    }

    /// All objects of a kind (`payment_intent`, `event`, ...), the newest first.
    #[must_use]
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        self.shared.with(|state| state.world.all(kind).cloned().collect())
    }

    /// What came, the oldest first.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.with(|state| state.asked.clone())
    }

    /// The holder of a payment method authenticates for an intent that waits for it, or fails to; the intent then. Returns
    /// when the events have been told.
    ///
    /// # Errors
    /// There is no such intent, or it doesn't wait.
    pub async fn authenticate(&self, intent: &str, well: bool) -> Result<Value, String> {
        act::authenticate(&self.shared, intent, well).await
    }

    /// A debit that is under way, or a refund that is pending or fails, comes to its end. Returns when the events have been
    /// told.
    ///
    /// # Errors
    /// There is no such thing, or it is at its end.
    pub async fn settle(&self, id: &str) -> Result<Value, String> {
        act::settle(&self.shared, id).await
    }

    /// Has a saved payment method declined from now on, by the `decline_code`, or (`None`) good again.
    ///
    /// # Errors
    /// There is no such payment method or code.
    pub fn decline(&self, method: &str, code: Option<&str>) -> Result<(), String> {
        act::decline(&self.shared, method, code)
    }

    /// Posts an event to whoever is told, once more or for the first time; the status that it answers.
    ///
    /// # Errors
    /// There is no such event, or nobody answers.
    pub async fn deliver(&self, event: &str, signature: Signature) -> io::Result<u16> {
        hooks::deliver(&self.shared, event, signature).await
    }

    /// Waits until its thread ends, which it does only if it can accept no more connections.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the thread.
            let _ = thread.join();
        }
    }
}

impl Drop for StripeStandin {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
