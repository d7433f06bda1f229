//! What schedules want of the function.

use lmo_shared::{
    auth::{Ring, Rotation},
    error::Result,
};
use serde::Deserialize;

/// A schedule's `{"task": "..."}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Task {
    /// Let the next key sign if the one that does is a month old. Every day, and twice at once, is good enough.
    RotateKeys,
}

impl Task {
    /// Performs it.
    ///
    /// # Errors
    /// What keeps it from being done; the scheduler tries again.
    pub async fn perform(self, ring: &Ring) -> Result<Option<Rotation>> {
        match self {
            Self::RotateKeys => {
                let rotation = ring.rotate_if_due().await?;
                if let Some(rotation) = &rotation {
                    tracing::info!(?rotation, "the signing keys");
                }
                Ok(rotation)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedules_event_is_read() {
        assert_eq!(serde_json::from_str::<Task>(r#"{"task": "rotate-keys"}"#).unwrap(), Task::RotateKeys);
        assert!(serde_json::from_str::<Task>(r#"{"task": "sweep"}"#).is_err());
    }
}
