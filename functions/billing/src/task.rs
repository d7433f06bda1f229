//! What schedules want of the function.

use lmo_shared::{clock::Timestamp, error::Result, mail::Mailer, platform::Platform};
use serde::Deserialize;
use serde_json::Value;

/// A schedule's `{"task": "..."}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Task {}

impl Task {
    /// Performs it until `deadline`, when the invocation is ended. Twice at once is good enough.
    ///
    /// # Errors
    /// What keeps it from being done; the scheduler tries again.
    #[expect(clippy::unused_async, reason = "there is no task yet")]
    pub async fn perform(self, _platform: &Platform, _mailer: &Mailer, _deadline: Timestamp) -> Result<Value> {
        match self {}
    }
}
