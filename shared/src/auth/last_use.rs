//! When keys were last used: noted when a key was just read and its last note is an hour old, so a warm request never
//! writes. The note is no version of the key: it changes nothing that anybody decides by.

use std::sync::atomic::Ordering;

use tokio_util::task::TaskTracker;

use super::Known;
use crate::{
    clock::Timestamp,
    config::Flush,
    telemetry::carry,
    tenant::{ApiKey, Tenants},
};

/// Notes uses of keys.
#[derive(Debug, Clone)]
pub struct LastUse {
    tenants: Tenants,
    flush: Flush,
    tasks: TaskTracker,
}

impl LastUse {
    /// Notes them in `tenants`: in `tasks` where the process lives on, else before the request goes on, because nothing is
    /// left to run behind its answer.
    #[must_use]
    pub fn new(tenants: Tenants, flush: Flush, tasks: TaskTracker) -> Self {
        Self { tenants, flush, tasks }
    }

    /// Notes that a key is used, if its last note is old enough. What can't be noted now is noted when the key is read
    /// again.
    pub(super) async fn note(&self, known: &Known, key: &ApiKey, now: Timestamp) {
        if !key.is_to_be_noted(now) || known.noted.swap(true, Ordering::Relaxed) {
            return;
        }
        let (tenants, tenant, key) = (self.tenants.clone(), known.tenant.id, key.id);
        let note = async move {
            if let Err(error) = tenants.note_use(tenant, key, now).await {
                tracing::warn!(%tenant, %key, ?error, "the use of a key was not noted");
            }
        };
        match self.flush {
            Flush::Behind => drop(self.tasks.spawn(carry(note))),
            // In a box, because the SDK's futures are large.
            Flush::BeforeReturning => Box::pin(note).await,
        }
    }
}
