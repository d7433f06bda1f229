//! What schedules want of the function.

use std::time::Duration;

use lmo_shared::{
    clock::Timestamp,
    error::{Error, Result},
    mail::Mailer,
    platform::Platform,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long what is under way may take when nothing more is begun: the calls of Stripe for one invoice.
const LAST: Duration = Duration::from_secs(60);

/// A schedule's `{"task": "..."}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Task {
    /// See to the payment of invoices whose time has come.
    Collect,
}

impl Task {
    /// Performs it until `deadline`, when the invocation is ended. Twice at once is good enough.
    ///
    /// # Errors
    /// What keeps it from being done; the scheduler tries again.
    pub async fn perform(self, platform: &Platform, mailer: &Mailer, deadline: Timestamp) -> Result<Value> {
        match self {
            Self::Collect => said(&platform.payments(mailer.clone()).run_due(deadline.before(LAST)).await?),
        }
    }
}

fn said(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedules_event_is_read() {
        let event = include_str!("../../../events/scheduler-collect.json");
        assert_eq!(serde_json::from_str::<Task>(event).unwrap(), Task::Collect);
    }
}
