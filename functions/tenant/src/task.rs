//! What schedules want of the function.

use std::time::Duration;

use lmo_shared::{
    clock::Clock,
    error::Result,
    webhook::{Deliveries, Ran},
};
use serde::Deserialize;

/// For how long something new is begun: what is under way then ends before the function's time is up, and before the next
/// minute.
const FOR: Duration = Duration::from_secs(35);

/// A schedule's `{"task": "..."}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Task {
    /// Tell webhooks what is due. Every minute, and twice at once, is good enough.
    Deliver,
}

impl Task {
    /// Performs it.
    ///
    /// # Errors
    /// What keeps it from being done; the scheduler tries again.
    pub async fn perform(self, deliveries: &Deliveries, clock: &Clock) -> Result<Ran> {
        match self {
            Self::Deliver => deliveries.keep_running(clock.now().after(FOR)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedules_event_is_read() {
        let event = include_str!("../../../events/scheduler-deliver.json");
        assert_eq!(serde_json::from_str::<Task>(event).unwrap(), Task::Deliver);
        assert!(serde_json::from_str::<Task>(r#"{"task": "sweep"}"#).is_err());
    }
}
