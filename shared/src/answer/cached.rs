//! The cache's part in a request: look before a model is asked, keep what it said.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    CacheStatus, Parts,
    embed::{self, EmbedAsk, EmbedInputs},
    plan::Plan,
};
use crate::{
    auth::Caller,
    cache::{Asked, Group, Kept, Lead, Policy, Seat, question},
    error::{Error, Result},
    id::TenantId,
    llm::{Chunk, Reported, embed::EmbedInput},
};

/// The most bytes of text that are recorded to be kept.
const MOST_RECORDED: u64 = 8 * 1024 * 1024;

/// What the cache said.
pub(super) enum Looked {
    /// An answer.
    Hit(Kept, CacheStatus),
    /// None.
    Miss(Missed),
}

/// What follows from a miss.
#[derive(Default)]
pub(super) struct Missed {
    /// Others may be waiting for what this request will keep.
    pub lead: Option<Lead>,
    /// Where its question will be found.
    pub place: Option<Place>,
}

/// The cache, for one request.
pub(super) struct Cached<'a> {
    pub parts: &'a Arc<Parts>,
    pub caller: &'a Caller,
    pub plan: &'a Plan,
}

/// A question among similar ones.
pub(super) struct Place {
    group: Group,
    vector: Vec<f32>,
}

impl<'a> Cached<'a> {
    fn policy(&self) -> Option<&'a Policy> {
        self.plan.cache.as_ref()
    }

    /// An answer that was kept, or is being made for somebody else right now. A table that can't be reached is a miss.
    ///
    /// # Errors
    /// `NotCached` if nothing else would do.
    pub async fn look(&self) -> Result<Looked> {
        let Some(policy) = self.policy().filter(|policy| policy.reads) else {
            return Ok(Looked::Miss(Missed::default()));
        };
        if self.caller.config().retention().is_nothing() {
            return Err(Error::NotCached);
        }
        if let Some(kept) = self.find(policy).await {
            return Ok(Looked::Hit(kept, CacheStatus::Hit));
        }
        let place = self.place().await;
        if let Some(place) = &place
            && let Some(kept) = self.similar(policy, place).await
        {
            return Ok(Looked::Hit(kept, CacheStatus::Semantic));
        }
        if policy.only {
            return Err(Error::NotCached);
        }
        match self.parts.flights.join(self.tenant(), &policy.key) {
            Seat::Lead(lead) => Ok(Looked::Miss(Missed { lead: Some(lead), place })),
            Seat::Follow(end) => Ok(self.follow(policy, end).await),
        }
    }

    fn tenant(&self) -> TenantId {
        self.caller.tenant().id
    }

    /// Where the question is among similar ones, if the tenant wants to know. It is embedded by a request of its own,
    /// charged like any other; if that fails, there are no similar ones.
    async fn place(&self) -> Option<Place> {
        let settings = self.caller.config().cache.semantic.as_ref()?;
        let asked = self.plan.candidates.first()?;
        let (text, rest) = question(&self.plan.prompt)?;
        let rest = Asked { prompt: &rest, max_output: asked.max_output };
        let group = Group::of(&settings.model, &asked.name, &asked.model, &rest);
        let inputs = EmbedInputs::new("input", vec![EmbedInput::Text(text)]).ok()?;
        let model = Some(settings.model.clone());
        let ask = EmbedAsk { model, inputs, dimensions: None, kind: None, user: None };
        let catalogue = Arc::clone(&self.plan.catalogue);
        let embedded = embed::embed(self.parts, catalogue, self.caller, ask).await;
        let noted = embedded.inspect_err(|error| tracing::warn!(?error, "a question could not be embedded"));
        Some(Place { group, vector: noted.ok()?.vectors.pop()? })
    }

    async fn similar(&self, policy: &Policy, place: &Place) -> Option<Kept> {
        let threshold = self.caller.config().cache.semantic.as_ref()?.threshold;
        let neighbours = &self.parts.neighbours;
        let nearest = neighbours.nearest(self.tenant(), &place.group, &place.vector, threshold, policy.max_age).await;
        let noted = nearest.inspect_err(|error| tracing::warn!(?error, "similar questions could not be read"));
        let key = noted.ok()??;
        self.find(&Policy { key, ..policy.clone() }).await
    }

    async fn follow(&self, policy: &Policy, mut end: watch::Receiver<()>) -> Looked {
        // It ends with an error, as nothing is ever sent.
        let _ = end.changed().await;
        match self.find(policy).await {
            Some(kept) => Looked::Hit(kept, CacheStatus::Hit),
            // It failed, or was too large: everybody for themselves, at once.
            None => Looked::Miss(Missed::default()),
        }
    }

    async fn find(&self, policy: &Policy) -> Option<Kept> {
        let found = self.parts.cache.find(self.tenant(), &policy.key, policy.max_age).await;
        found.unwrap_or_else(|error| {
            tracing::warn!(error = ?error, "the cache could not be read");
            None
        })
    }

    /// Keeps an answer.
    pub async fn keep(&self, recorded: Option<Recorded>, reported: &Reported, place: Option<&Place>) {
        let (Some(policy), Some(recorded)) = (self.policy(), recorded) else { return };
        let kept = Kept {
            model: recorded.model,
            stream: self.plan.stream,
            chunks: recorded.chunks,
            reported: reported.clone(),
        };
        let keep = async {
            self.parts.cache.keep(self.tenant(), &policy.key, &kept, policy.ttl).await?;
            let Some(Place { group, vector }) = place else { return Ok(()) };
            self.parts.neighbours.add(self.tenant(), group, vector, &policy.key, policy.ttl).await
        };
        let kept: Result<()> = keep.await;
        if let Err(error) = kept {
            tracing::warn!(?error, "an answer could not be cached");
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
