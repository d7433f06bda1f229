//! One request from its hold to its settlement, in a task of its own: it goes on when the client is gone, until
//! everything about the request is in the books.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::StreamExt;
use tokio::{sync::mpsc::Sender, time::Instant};

use super::{
    Done, Event, Parts,
    booking::{Booking, Charge},
    plan::Plan,
    tally::Tally,
};
use crate::{
    error::{Error, Result},
    id::RequestId,
    llm::{
        Call, Event as ProviderEvent, Events, Provider, Usage,
        catalogue::Capability,
        retry::{Retry, with_retry},
    },
    quota::{Account, Grant, Rate},
    usage::{Entry, Outcome},
};

/// How many events may wait for a slow client before the provider has to wait too.
pub(super) const AHEAD: usize = 64;

/// What the task tells the front end.
pub(super) enum Step {
    /// Admitted, and the provider began to answer.
    Started(Rate),
    Event(Event),
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

pub(super) async fn run(
    parts: Arc<Parts>,
    account: Account,
    id: RequestId,
    plan: Plan,
    provider: Provider,
    client: Sender<Sent>,
) {
    let booking = Booking { parts: &parts, account: &account, id };
    let request = Request { parts: &parts, plan: &plan, client: &client };
    let grant = match booking.hold(plan.need, &plan.model, &plan.catalogue.version).await {
        Ok(grant) => grant,
        Err(error) => return request.tell(Err(error)).await,
    };
    let mut tally = Tally::new();
    let ended = request.converse(&grant, &provider, &mut tally).await;
    let (reported, estimated) = tally.usage(&plan.prompt);
    let (answer, outcome) = match ended {
        Ok(()) => (Ok(()), Outcome::Answered),
        Err(Stop::Failed(error)) => (Err(error), Outcome::Failed),
        Err(Stop::ClientLeft) => (Ok(()), Outcome::Left),
    };
    match request.record(booking, &tally, reported.usage, estimated, outcome).await {
        Ok(entry) => {
            let done = || Done {
                usage: entry.usage,
                native: reported.native,
                estimated: entry.estimated,
                cost: entry.nano_usd,
            };
            let told = request.tell(answer.map(|()| Step::Event(Event::Done(done()))));
            // A client that doesn't read must not keep the hold.
            tokio::join!(told, booking.settle(&grant, &entry));
        }
        Err(error) => {
            // The hold stays; the sweep charges it.
            tracing::error!(request = %id, error = ?error, "the ledger did not take a request");
            request.tell(Err(answer.err().unwrap_or(error))).await;
        }
    }
}

/// What one request is about.
struct Request<'a> {
    parts: &'a Parts,
    plan: &'a Plan,
    client: &'a Sender<Sent>,
}

impl Request<'_> {
    /// A client that is gone has nothing to be told.
    async fn tell(&self, step: Sent) {
        let _ = self.client.send(step).await;
    }

    /// Calls the model and passes on what it says. A streamed answer ends when its client leaves; one that is not is
    /// finished, because its provider tells what it cost only at the end.
    async fn converse(&self, grant: &Grant, provider: &Provider, tally: &mut Tally) -> Result<(), Stop> {
        let deadline = Instant::now() + self.parts.deadline;
        let conversation = async {
            let events = self.call(grant, provider, deadline, tally).await?;
            tally.started = true;
            self.client.send(Ok(Step::Started(grant.rate()))).await.or_else(|_| self.left())?;
            self.pass_on(events, tally).await
        };
        tokio::select! {
            // The provider's clocks end at the deadline too; it is the deadline that is told.
            biased;
            () = tokio::time::sleep_until(deadline) => Err(Error::DeadlineExceeded(self.parts.deadline).into()),
            ended = conversation => ended,
            () = self.client.closed(), if self.plan.stream => Err(Stop::ClientLeft),
            () = self.parts.tasks.stop.cancelled() => Err(Error::Unavailable("shutting down".into()).into()),
        }
    }

    async fn call(
        &self,
        _admitted: &Grant,
        provider: &Provider,
        deadline: Instant,
        tally: &mut Tally,
    ) -> Result<Events> {
        let spec = self.plan.spec()?;
        let attempts = AtomicU32::new(0);
        let attempt = |failed| {
            attempts.store(failed + 1, Ordering::Relaxed);
            provider.call(Call {
                model: &spec.upstream,
                prompt: &self.plan.prompt,
                max_output: self.plan.max_output,
                stream: self.plan.stream && spec.can(Capability::Stream),
                time_left: deadline.saturating_duration_since(Instant::now()),
            })
        };
        let called = with_retry(Retry::default(), deadline, attempt).await;
        tally.attempts = attempts.into_inner();
        Ok(called?.0)
    }

    async fn pass_on(&self, mut events: Events, tally: &mut Tally) -> Result<(), Stop> {
        while let Some(event) = events.next().await {
            match event.map_err(Error::from)? {
                ProviderEvent::Chunk(chunk) => {
                    tally.chunk(&chunk);
                    let step = Step::Event(Event::Chunk(chunk));
                    self.client.send(Ok(step)).await.or_else(|_| self.left())?;
                }
                ProviderEvent::Usage(reported) => tally.report(reported),
            }
        }
        Ok(())
    }

    fn left(&self) -> Result<(), Stop> {
        if self.plan.stream { Err(Stop::ClientLeft) } else { Ok(()) }
    }

    async fn record(
        &self,
        booking: Booking<'_>,
        tally: &Tally,
        usage: Usage,
        estimated: bool,
        outcome: Outcome,
    ) -> Result<Entry> {
        let charge = Charge {
            model: (&self.plan.model, self.plan.spec()?),
            prices: &self.plan.catalogue.version,
            need: self.plan.need,
            usage,
            estimated,
            outcome,
            attempts: tally.attempts,
            first_ms: tally.first_ms(),
            total_ms: tally.total_ms(),
        };
        booking.record(charge).await
    }
}
