//! What the connections share.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::StripeOptions;
use super::faults::Faults;
use super::hooks::Hook;
use super::keys::Keys;
use super::world::World;

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// `req_...`
    pub request: String,
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its idempotency key.
    pub key: Option<String>,
    /// What was answered, whether or not it arrived; 0 if nothing was.
    pub status: u16,
    /// Whether it was an answer given before.
    pub replayed: bool,
}

/// All that changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) world: World,
    pub(super) keys: Keys,
    pub(super) faults: Faults,
    pub(super) hook: Option<Hook>,
    pub(super) asked: Vec<Asked>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: StripeOptions,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(options: StripeOptions) -> Self {
        let mut world = World::new(options.version.clone());
        world.search_lag = options.search_lag;
        let hook = options.hook.clone();
        let state = State { world, keys: Keys::default(), faults: Faults::default(), hook, asked: Vec::new() };
        Self { options, state: Mutex::new(state) }
    }

    /// Does something while nobody else does.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn hook(&self) -> Option<Hook> {
        self.with(|state| state.hook.clone())
    }
}
