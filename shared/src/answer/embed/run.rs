//! One request from its hold to its settlement, in a task of its own: it goes on when the client is gone, until
//! everything about the request is in the books.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::{sync::oneshot, time::Instant};
use tracing::{Instrument, Span};

use super::{EmbedAnswer, plan::Plan};
use crate::{
    answer::{
        Parts,
        booking::{Booking, Charge},
        route::Attempts,
    },
    config::Flush,
    error::{Error, Result},
    id::RequestId,
    llm::{
        ProviderError, Target, Usage,
        embed::{EmbedCall, EmbedInput, Embedded},
        retry::{Retry, with_retry},
    },
    money::Tokens,
    quota::{Account, Grant},
    telemetry::{metrics, spans},
    usage::{Entry, Outcome},
};

/// How many calls of one request may be under way at once.
const CALLS_AT_ONCE: usize = 8;

/// Who is asked, and for how much at a time.
pub(super) struct Upstream {
    /// The endpoints, in the order in which they are tried; never empty.
    targets: Vec<Target>,
    most_inputs: usize,
}

impl Upstream {
    pub fn of(targets: Vec<Target>, model: &str) -> Result<Self> {
        let first = targets.first().ok_or_else(|| Error::internal("a provider without an endpoint"))?;
        let most_inputs = first.provider.most_inputs(model)?;
        Ok(Self { targets, most_inputs })
    }
}

pub(super) async fn run(
    parts: Arc<Parts>,
    account: Account,
    id: RequestId,
    plan: Plan,
    upstream: Upstream,
    caller: oneshot::Sender<Result<EmbedAnswer>>,
) {
    // A caller that is gone has nothing to be told.
    let tell = |answer| drop(caller.send(answer));
    let booking = Booking { parts: &parts, account: &account, id };
    let grant = match booking.hold(plan.need, &plan.model, &plan.catalogue.version, plan.own.is_some()).await {
        Ok(grant) => grant,
        Err(error) => return tell(Err(error)),
    };
    let request = Request { parts: &parts, plan: &plan, upstream: &upstream, began: Instant::now() };
    let worked = request.work(&grant).await;
    match request.record(booking, &worked).await {
        Ok(entry) => {
            let answer = worked.vectors.map(|vectors| EmbedAnswer {
                id,
                model: plan.model.clone(),
                rate: grant.rate(),
                vectors,
                usage: entry.usage,
                estimated: entry.estimated,
                cost: entry.nano_usd,
            });
            match parts.flush {
                Flush::BeforeReturning => {
                    booking.settle(&grant, &entry).await;
                    tell(answer);
                }
                Flush::Behind => {
                    tell(answer);
                    booking.settle(&grant, &entry).await;
                }
            }
        }
        Err(error) => {
            // The hold stays; the sweep charges it.
            tracing::error!(request = %id, error = ?error, "the ledger did not take a request");
            tell(Err(worked.vectors.err().unwrap_or(error)));
        }
    }
}

/// What came of the calls, and what is charged for it: nothing unless the provider answered them all.
struct Worked {
    vectors: Result<Vec<Vec<f32>>>,
    usage: Usage,
    estimated: bool,
    attempts: u32,
}

/// What one request is about.
struct Request<'a> {
    parts: &'a Parts,
    plan: &'a Plan,
    upstream: &'a Upstream,
    began: Instant,
}

impl Request<'_> {
    async fn work(&self, grant: &Grant) -> Worked {
        let attempts = AtomicU32::new(0);
        let deadline = self.began + self.parts.deadline;
        let embedded = tokio::select! {
            // The provider's clocks end at the deadline too; it is the deadline that is told.
            biased;
            () = tokio::time::sleep_until(deadline) => Err(Error::DeadlineExceeded(self.parts.deadline)),
            embedded = self.embed(grant, deadline, &attempts) => embedded,
            () = self.parts.tasks.stop.cancelled() => Err(Error::Unavailable("shutting down".into())),
        };
        let counted = embedded.and_then(|embedded| Ok((self.plan.usage(&embedded)?, embedded.vectors)));
        let attempts = attempts.into_inner();
        match counted {
            Ok(((usage, estimated), vectors)) => {
                Worked { vectors: self.plan.checked(vectors), usage, estimated, attempts }
            }
            Err(error) => Worked { vectors: Err(error), usage: Usage::default(), estimated: false, attempts },
        }
    }

    /// All inputs, in as many calls as the provider needs, some at a time. Each is tried again by itself.
    async fn embed(&self, _admitted: &Grant, deadline: Instant, attempts: &AtomicU32) -> Result<Embedded> {
        let batches = self.plan.inputs.chunks(self.upstream.most_inputs.max(1));
        let calls: Vec<_> = batches.map(|inputs| self.call(inputs, deadline, attempts)).collect();
        let parts: Vec<Embedded> = stream::iter(calls).buffered(CALLS_AT_ONCE).try_collect().await?;
        let counts: Option<Vec<Tokens>> = parts.iter().map(|part| part.input_tokens).collect();
        let sum = |counts: Vec<Tokens>| counts.into_iter().try_fold(Tokens::ZERO, Tokens::plus);
        let input_tokens = counts.map(sum).transpose()?;
        Ok(Embedded { vectors: parts.into_iter().flat_map(|part| part.vectors).collect(), input_tokens })
    }

    async fn call(&self, inputs: &[EmbedInput], deadline: Instant, attempts: &AtomicU32) -> Result<Embedded> {
        let model = &self.plan.spec()?.upstream;
        let mut targets = self.upstream.targets.iter().cycle();
        let provider = self.plan.provider()?.kind.well_known();
        let attempt = |failed| {
            attempts.fetch_add(1, Ordering::Relaxed);
            if failed > 0 {
                metrics::retried(&self.plan.model);
            }
            let span = spans::of_call("embeddings", provider, &self.plan.model, model);
            let call = EmbedCall {
                model,
                inputs,
                dimensions: self.plan.dimensions,
                kind: self.plan.kind,
                user: self.plan.user.as_deref(),
                time_left: deadline.saturating_duration_since(Instant::now()),
            };
            let target = targets.next();
            let embed = async move {
                let target = target.ok_or(ProviderError::Connect)?;
                let embedded = target.guarded(target.embed(call)).await;
                if let Err(error) = &embedded {
                    metrics::upstream_failed(&self.plan.model, error);
                    spans::failed(&Span::current(), error.code());
                }
                embedded
            };
            embed.instrument(span)
        };
        Ok(with_retry(Retry::default(), deadline, attempt).await?.0)
    }

    async fn record(&self, booking: Booking<'_>, worked: &Worked) -> Result<Entry> {
        let charge = Charge {
            model: (&self.plan.model, self.plan.spec()?),
            prices: &self.plan.catalogue.version,
            byok: self.plan.own.is_some(),
            need: self.plan.need,
            usage: worked.usage,
            estimated: worked.estimated,
            outcome: if worked.vectors.is_ok() { Outcome::Answered } else { Outcome::Failed },
            attempts: Attempts { made: worked.attempts, failed: Vec::new() },
            // Vectors have no pieces.
            first_ms: None,
            total_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        booking.record(charge).await
    }
}
