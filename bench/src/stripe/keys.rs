//! Idempotency keys (API reference, "Idempotent requests"): what an endpoint answered is answered again, whatever it was;
//! what was refused before it began isn't kept; after 24 hours nobody remembers.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::call::Call;
use super::problem::Problem;

/// How long an answer is kept, in seconds.
const KEPT: i64 = 24 * 3600;
const LONGEST: usize = 255;

/// An answer as it was sent.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: String,
    /// The request that was answered so first.
    pub(super) request: String,
}

#[derive(Debug)]
struct Used {
    path: String,
    params: Map<String, Value>,
    at: i64,
    answered: Option<Answered>,
}

/// All keys of an account.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<String, Used>);

impl Keys {
    /// Takes a key for a request: `Some` is what was answered before.
    pub(super) fn take(&mut self, call: &Call, now: i64) -> Result<Option<Answered>, Problem> {
        let Some(key) = &call.key else { return Ok(None) };
        if key.len() > LONGEST {
            return Err(Problem::key_too_long());
        }
        match self.0.get(key).filter(|used| now - used.at < KEPT) {
            Some(used) if used.path != call.path => Err(Problem::key_mismatch(key, Some(&used.path))),
            Some(used) if used.params != call.params => Err(Problem::key_mismatch(key, None)),
            Some(Used { answered: None, .. }) => Err(Problem::key_in_use(key)),
            Some(Used { answered: Some(answered), .. }) => Ok(Some(answered.clone())),
            None => {
                let used = Used { path: call.path.clone(), params: call.params.clone(), at: now, answered: None };
                self.0.insert(key.clone(), used);
                Ok(None)
            }
        }
    }

    /// Keeps an answer, or forgets that the key was used.
    pub(super) fn end(&mut self, call: &Call, answered: Option<&Answered>) {
        let Some(key) = &call.key else { return };
        match answered {
            Some(answered) => {
                if let Some(used) = self.0.get_mut(key) {
                    used.answered = Some(answered.clone());
                }
            }
            None => drop(self.0.remove(key)),
        }
    }
}
