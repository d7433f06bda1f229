//! A count of failures in the table. Each write is conditional on the last one, so that of attempts at the same time
//! each sees those that were let in before it.

use serde::{Deserialize, Serialize};

use super::limit::Limit;
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    store::{Partition, Written, number},
};

/// How often a lost race is run again. Whoever wins one has counted a failure, so losers are soon told to wait.
const RACES: u32 = 100;

/// A count of failures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    failures: u32,
    /// When the last attempt was let in.
    at: Timestamp,
    /// Which write made it, at random: what the next one is conditional on.
    nonce: u64,
    /// In seconds since the epoch.
    pub expires_at: u64,
}

impl Counter {
    pub fn new(failures: u32, at: Timestamp, expires_at: u64) -> Self {
        Self { failures, at, nonce: rand::random(), expires_at }
    }

    /// The count after an attempt.
    ///
    /// # Errors
    /// `TooManyAttempts` if it comes too early.
    pub fn after_attempt(seen: Option<&Self>, limit: &Limit, now: Timestamp) -> Result<Self> {
        let (failures, at, kept) = seen.map_or((0, now, 0), |seen| (seen.failures, seen.at, seen.expires_at));
        let failures = limit.admit(failures, at, now).map_err(|retry_after| Error::TooManyAttempts { retry_after })?;
        let forgotten = now.after(limit.memory(failures)).seconds() + 1;
        Ok(Self::new(failures, now, forgotten.max(kept)))
    }

    /// The count without its last attempt.
    pub fn given_back(&self) -> Self {
        Self::new(self.failures.saturating_sub(1), self.at, self.expires_at)
    }
}

/// Changes the count under a sort key from what was `seen` of it, or from what others have made of it meanwhile. `next`
/// says what it becomes; nothing is written if it says nothing.
///
/// # Errors
/// Those of `next`; `Unavailable` if the table can't be reached.
pub(super) async fn change(
    partition: &Partition,
    sort: &str,
    mut seen: Option<Counter>,
    next: impl Fn(Option<&Counter>) -> Result<Option<Counter>>,
) -> Result<()> {
    for _ in 0..RACES {
        let Some(next) = next(seen.as_ref())? else { return Ok(()) };
        let written = match &seen {
            None => partition.put_new(sort, &next).await?,
            Some(seen) => partition.put_if(sort, &next, "nonce = :seen", &[(":seen", number(seen.nonce))]).await?,
        };
        if written == Written::Yes {
            return Ok(());
        }
        seen = partition.find(sort).await?;
        // The write took place, its answer was lost, and the SDK tried again.
        if seen.as_ref() == Some(&next) {
            return Ok(());
        }
    }
    Err(Error::Unavailable("a count of attempts changes too often".into()))
}
