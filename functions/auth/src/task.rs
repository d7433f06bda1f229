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
    /// Let the next key sign. Twice at once, or too soon, it is done once.
    RotateKeys,
}

impl Task {
    /// Performs it.
    ///
    /// # Errors
    /// What keeps it from being done; the scheduler tries again.
    pub async fn perform(self, ring: &Ring) -> Result<Rotation> {
        match self {
            Self::RotateKeys => {
                let rotation = ring.rotate(false).await?;
                tracing::info!(?rotation, "the signing keys");
                Ok(rotation)
            }
        }
    }
}
