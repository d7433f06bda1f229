//! One request from its hold to its settlement, in a task of its own: it goes on when the client is gone, until
//! everything about the request is in the books.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use tokio::{sync::mpsc::Sender, time::Instant};

use super::{
    CacheStatus, Done, Event, Parts,
    booking::{Booking, Charge},
    cached::{Cached, Looked, Recorded},
    plan::{Candidate, Plan},
    route::{Attempts, Begun, Route},
    tally::Tally,
};
use crate::{
    cache::Kept,
    error::{Error, Result},
    id::RequestId,
    llm::{Event as ProviderEvent, Reported},
    quota::{Account, Grant, Rate},
    usage::{Entry, Outcome},
};

/// How many events may wait for a slow client before the provider has to wait too.
pub(super) const AHEAD: usize = 64;

/// What the task tells the front end.
pub(super) enum Step {
    /// Admitted, and an answer has begun.
    Started(Started),
    Event(Event),
}

/// How an answer begins.
pub(super) struct Started {
    pub rate: Rate,
    /// Who answers, as the catalogue calls it.
    pub model: String,
    pub cache: CacheStatus,
}

pub(super) type Sent = Result<Step>;

/// Why the answer ended before its end.
enum Stop {
    Failed(Error),
    ClientLeft,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

pub(super) async fn run(parts: Arc<Parts>, account: Account, id: RequestId, plan: Plan, client: Sender<Sent>) {
    let booking = Booking { parts: &parts, account: &account, id };
    let cached = Cached { parts: &parts, tenant: account.tenant, plan: &plan };
    let request = Request { parts: &parts, plan: &plan, client: &client, cached: &cached };
    let Ok(asked) = plan.asked() else { return request.tell(Err(Error::internal("a plan without a model"))).await };
    // Admission and the look into the cache take one round trip, not two.
    let hold = booking.hold(plan.need, &asked.name, &plan.catalogue.version);
    let (grant, looked) = tokio::join!(hold, cached.look());
    let grant = match grant {
        Ok(grant) => grant,
        Err(error) => return request.tell(Err(error)).await,
    };
    let attempts = Mutex::default();
    let mut progress = Progress { tally: Tally::new(), candidate: asked, attempts: &attempts, recorded: None };
    let (ended, lead) = request.converse(&grant, looked, &mut progress).await;
    let (answer, outcome) = match ended {
        Ok(()) => (Ok(()), Outcome::Answered),
        Err(Stop::Failed(error)) => (Err(error), Outcome::Failed),
        Err(Stop::ClientLeft) => (Ok(()), Outcome::Left),
    };
    let Progress { mut tally, candidate, recorded, .. } = progress;
    let (reported, estimated) = tally.usage(&plan.prompt);
    let recorded = recorded.filter(|_| outcome == Outcome::Answered && !estimated);
    let charge = Charge {
        model: (&candidate.name, &candidate.model),
        prices: &plan.catalogue.version,
        need: candidate.need,
        usage: reported.usage,
        estimated,
        outcome,
        attempts: std::mem::take(&mut *attempts.lock().unwrap_or_else(PoisonError::into_inner)),
        first_ms: tally.first_ms(),
        total_ms: tally.total_ms(),
    };
    match booking.record(charge).await {
        Ok(entry) => {
            let told = request.tell(answer.map(|()| Step::Event(Event::Done(done(&entry, &reported)))));
            // A client that doesn't read must not keep the hold.
            tokio::join!(told, booking.settle(&grant, &entry), cached.keep(recorded, &reported));
        }
        Err(error) => {
            // The hold stays; the sweep charges it.
            tracing::error!(request = %id, error = ?error, "the ledger did not take a request");
            request.tell(Err(answer.err().unwrap_or(error))).await;
        }
    }
    drop(lead);
}

fn done(entry: &Entry, reported: &Reported) -> Done {
    Done { usage: entry.usage, native: reported.native.clone(), estimated: entry.estimated, cost: entry.nano_usd }
}

/// What one request is about.
struct Request<'a> {
    parts: &'a Parts,
    plan: &'a Plan,
    client: &'a Sender<Sent>,
    cached: &'a Cached<'a>,
}

/// How far an answer has come.
struct Progress<'a> {
    tally: Tally,
    /// Who answers; who was asked, until somebody does.
    candidate: &'a Candidate,
    attempts: &'a Mutex<Attempts>,
    /// What is to be kept.
    recorded: Option<Recorded>,
}

impl<'a> Request<'a> {
    /// A client that is gone has nothing to be told.
    async fn tell(&self, step: Sent) {
        let _ = self.client.send(step).await;
    }

    /// Gets an answer and passes it on. A streamed answer ends when its client leaves; one that is not is finished,
    /// because its provider tells what it cost only at the end. Returns the lead of those who wait for it, too.
    async fn converse(
        &self,
        grant: &Grant,
        looked: Result<Looked>,
        progress: &mut Progress<'a>,
    ) -> (Result<(), Stop>, Option<crate::cache::Lead>) {
        let (kept, lead) = match looked {
            Ok(Looked::Hit(kept, status)) => (Some((kept, status)), None),
            Ok(Looked::Miss(lead)) => (None, lead),
            Err(error) => return (Err(error.into()), None),
        };
        let deadline = Instant::now() + self.parts.deadline;
        let conversation = async {
            match kept {
                Some((kept, status)) => self.repeat(grant, kept, status, progress).await,
                None => self.ask(grant, deadline, progress).await,
            }
        };
        let ended = tokio::select! {
            // The provider's clocks end at the deadline too; it is the deadline that is told.
            biased;
            () = tokio::time::sleep_until(deadline) => Err(Error::DeadlineExceeded(self.parts.deadline).into()),
            ended = conversation => ended,
            () = self.client.closed(), if self.plan.stream => Err(Stop::ClientLeft),
            () = self.parts.tasks.stop.cancelled() => Err(Error::Unavailable("shutting down".into()).into()),
        };
        (ended, lead)
    }

    /// Gives a kept answer again.
    async fn repeat(
        &self,
        grant: &Grant,
        kept: Kept,
        status: CacheStatus,
        progress: &mut Progress<'a>,
    ) -> Result<(), Stop> {
        self.start(grant, &kept.model.clone(), status, progress).await?;
        let (chunks, reported) = kept.replay(self.plan.stream);
        let events = chunks.into_iter().map(ProviderEvent::Chunk).chain([ProviderEvent::Usage(reported)]);
        self.pass_on(stream::iter(events.map(Ok)), progress).await
    }

    /// Asks the models in turn. The grant is the proof that it is paid for.
    async fn ask(&self, grant: &Grant, deadline: Instant, progress: &mut Progress<'a>) -> Result<(), Stop> {
        let route = Route::new(&self.parts.upstreams, self.plan, deadline, progress.attempts);
        let Begun { candidate, events } = route.begin().await.map_err(Error::from)?;
        progress.candidate = candidate;
        progress.recorded = Recorded::of(self.plan, &candidate.name);
        self.start(grant, &candidate.name, self.cached.status(), progress).await?;
        self.pass_on(events, progress).await
    }

    async fn start(
        &self,
        grant: &Grant,
        model: &str,
        cache: CacheStatus,
        progress: &mut Progress<'a>,
    ) -> Result<(), Stop> {
        progress.tally.started = true;
        let started = Started { rate: grant.rate(), model: model.to_owned(), cache };
        self.client.send(Ok(Step::Started(started))).await.or_else(|_| self.left())
    }

    async fn pass_on(
        &self,
        events: impl futures_util::Stream<Item = Result<ProviderEvent, crate::llm::ProviderError>>,
        progress: &mut Progress<'a>,
    ) -> Result<(), Stop> {
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event.map_err(Error::from)? {
                ProviderEvent::Chunk(chunk) => {
                    let bytes = progress.tally.chunk(&chunk);
                    progress.recorded = progress.recorded.take().and_then(|recorded| recorded.push(&chunk, bytes));
                    let step = Step::Event(Event::Chunk(chunk));
                    self.client.send(Ok(step)).await.or_else(|_| self.left())?;
                }
                ProviderEvent::Usage(reported) => progress.tally.report(reported),
            }
        }
        Ok(())
    }

    fn left(&self) -> Result<(), Stop> {
        if self.plan.stream { Err(Stop::ClientLeft) } else { Ok(()) }
    }
}
