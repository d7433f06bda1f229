//! The cache's part in a request: look before a model is asked, keep what it said.

use tokio::sync::watch;

use super::{CacheStatus, Parts, plan::Plan};
use crate::{
    cache::{Kept, Lead, Policy, Seat},
    error::{Error, Result},
    id::TenantId,
    llm::{Chunk, Reported},
};

/// The most bytes of text that are recorded to be kept.
const MOST_RECORDED: u64 = 8 * 1024 * 1024;

/// What the cache said.
pub(super) enum Looked {
    /// An answer.
    Hit(Kept, CacheStatus),
    /// None. Others may be waiting for what this request will keep.
    Miss(Option<Lead>),
}

/// The cache, for one request.
pub(super) struct Cached<'a> {
    pub parts: &'a Parts,
    pub tenant: TenantId,
    pub plan: &'a Plan,
}

impl<'a> Cached<'a> {
    fn policy(&self) -> Option<&'a Policy> {
        self.plan.cache.as_ref()
    }

    /// What the cache does for this request.
    pub fn status(&self) -> CacheStatus {
        if self.policy().is_some() { CacheStatus::Miss } else { CacheStatus::Bypass }
    }

    /// An answer that was kept, or is being made for somebody else right now. A table that can't be reached is a miss.
    ///
    /// # Errors
    /// `NotCached` if nothing else would do.
    pub async fn look(&self) -> Result<Looked> {
        let Some(policy) = self.policy().filter(|policy| policy.reads) else { return Ok(Looked::Miss(None)) };
        if let Some(kept) = self.find(policy).await {
            return Ok(Looked::Hit(kept, CacheStatus::Hit));
        }
        if policy.only {
            return Err(Error::NotCached);
        }
        match self.parts.flights.join(self.tenant, &policy.key) {
            Seat::Lead(lead) => Ok(Looked::Miss(Some(lead))),
            Seat::Follow(end) => Ok(self.follow(policy, end).await),
        }
    }

    async fn follow(&self, policy: &Policy, mut end: watch::Receiver<()>) -> Looked {
        // It ends with an error, as nothing is ever sent.
        let _ = end.changed().await;
        match self.find(policy).await {
            Some(kept) => Looked::Hit(kept, CacheStatus::Hit),
            // It failed, or was too large: everybody for themselves, at once.
            None => Looked::Miss(None),
        }
    }

    async fn find(&self, policy: &Policy) -> Option<Kept> {
        let found = self.parts.cache.find(self.tenant, &policy.key, policy.max_age).await;
        found.unwrap_or_else(|error| {
            tracing::warn!(error = ?error, "the cache could not be read");
            None
        })
    }

    /// Keeps an answer.
    pub async fn keep(&self, recorded: Option<Recorded>, reported: &Reported) {
        let (Some(policy), Some(recorded)) = (self.policy(), recorded) else { return };
        let kept = Kept {
            model: recorded.model,
            stream: self.plan.stream,
            chunks: recorded.chunks,
            reported: reported.clone(),
        };
        if let Err(error) = self.parts.cache.keep(self.tenant, &policy.key, &kept, policy.ttl).await {
            tracing::warn!(error = ?error, "an answer could not be cached");
        }
    }
}

/// The pieces of an answer that is to be kept.
pub(super) struct Recorded {
    model: String,
    chunks: Vec<Chunk>,
}

impl Recorded {
    /// Begins to record, if the answer will be kept: only that of the model that was asked for.
    pub fn of(plan: &Plan, model: &str) -> Option<Self> {
        let writes = plan.cache.as_ref().is_some_and(|policy| policy.writes);
        let asked = plan.candidates.first().is_some_and(|asked| asked.name == model);
        (writes && asked).then(|| Self { model: model.to_owned(), chunks: Vec::new() })
    }

    /// Adds a piece; `None` if the answer, of so many bytes up to now, is too large.
    pub fn push(mut self, chunk: &Chunk, bytes: u64) -> Option<Self> {
        self.chunks.push(chunk.clone());
        (bytes <= MOST_RECORDED).then_some(self)
    }
}
