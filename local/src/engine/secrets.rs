//! Secrets Manager in this process: its JSON 1.1 operations over a file that its owner alone may read.
//!
//! Follows the AWS Secrets Manager API reference for `CreateSecret`, `GetSecretValue`, `PutSecretValue`,
//! `UpdateSecretVersionStage`, `DescribeSecret`, `DeleteSecret` and `ListSecrets`. Secrets change a few times in their life, so every change
//! rewrites the file.

mod operation;
mod vault;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use lmo_shared::clock::Clock;

use self::vault::Vault;
use super::{
    EngineError,
    wire::{JSON_1_1, Reply},
};

/// A handle on the secrets file.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    vault: Arc<Mutex<Vault>>,
    clock: Clock,
}

impl Secrets {
    /// Reads the file at `path`, or starts with no secret if there is none.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, EngineError> {
        let vault = Vault::open(path, seconds(&clock))?;
        Ok(Self { vault: Arc::new(Mutex::new(vault)), clock })
    }

    /// Answers one Secrets Manager request; a change is on disk when this returns.
    pub fn call(&self, operation: &str, body: &[u8]) -> Reply {
        let mut vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        match operation::run(&mut vault, operation, body, seconds(&self.clock)) {
            Ok(body) => Reply::ok(JSON_1_1, body.to_string()),
            Err((operation::INTERNAL, message)) => Reply::error(JSON_1_1, 500, operation::INTERNAL, &message),
            Err((kind, message)) => Reply::error(JSON_1_1, 400, kind, &message),
        }
    }
}

/// Seconds since the epoch, as AWS JSON writes times.
#[expect(clippy::cast_precision_loss, reason = "milliseconds fit an f64 for 285,000 years")]
fn seconds(clock: &Clock) -> f64 {
    clock.now().0 as f64 / 1000.0
}
