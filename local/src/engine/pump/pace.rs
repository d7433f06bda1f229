//! Keeps aggregation to about a twentieth of a core: after work that took T everybody rests for nineteen times T.
//!
//! Resting makes batches larger, and a larger batch costs less per record, so the pump keeps up under any load.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

const REST: u32 = 19;
const LONGEST: Duration = Duration::from_secs(10);

/// The time before which no shard is read, shared by all shards.
#[derive(Debug, Default)]
pub(super) struct Pace {
    not_before: Mutex<Option<Instant>>,
}

impl Pace {
    /// Work took this long.
    pub fn spent(&self, busy: Duration) {
        let now = Instant::now();
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let from = not_before.unwrap_or(now).max(now);
        *not_before = Some((from + busy * REST).min(now + LONGEST));
    }

    /// Waits until there may be work again, or until `shutdown`.
    pub async fn rest(&self, shutdown: &CancellationToken) {
        loop {
            let until = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
            match until {
                Some(until) if until > Instant::now() && !shutdown.is_cancelled() => {
                    tokio::select! {
                        () = time::sleep_until(until) => {}
                        () = shutdown.cancelled() => {}
                    }
                }
                _ => return,
            }
        }
    }
}
