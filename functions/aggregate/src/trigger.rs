//! What the function is triggered by.

use aws_lambda_events::event::kinesis::KinesisEvent;
use serde::{Deserialize, Deserializer, de::Error};

/// A batch of a Kinesis event source mapping, or a schedule's `{"task": "sweep"}` `{"task": "reconcile"}` or `{"task": "purge"}`.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// Usage events.
    Batch(KinesisEvent),
    /// Put right what crashes left.
    Sweep,
    /// Compare meters and totals.
    Reconcile,
    /// Remove tenants whose deletion was not taken back.
    Purge,
}

impl<'de> Deserialize<'de> for Trigger {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let event = serde_json::Value::deserialize(source)?;
        match event.get("task").and_then(serde_json::Value::as_str) {
            Some("sweep") => Ok(Self::Sweep),
            Some("reconcile") => Ok(Self::Reconcile),
            Some("purge") => Ok(Self::Purge),
            Some(other) => Err(D::Error::custom(format!("there is no task `{other}`"))),
            None => serde_json::from_value(event).map(Self::Batch).map_err(D::Error::custom),
        }
    }
}
