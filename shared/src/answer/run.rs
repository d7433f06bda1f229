//! One request from its hold to its settlement, in a task of its own: it goes on when the client is gone, until
//! everything about the request is in the books.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use tokio::{sync::mpsc::Sender, time::Instant};

use super::{Done, Event, Parts, plan::Plan, tally::Tally};
use crate::{
    error::{Error, Result},
    id::RequestId,
    llm::{
        Call, Event as ProviderEvent, Events, Provider, Reported,
        catalogue::Capability,
        retry::{Retry, with_retry},
    },
    money::Tokens,
    quota::{Account, Grant, Hold, Rate},
    usage::{self, Entry, Outcome, Recorded, UsageEvent},
};

/// How many events may wait for a slow client before the provider has to wait too.
pub(super) const AHEAD: usize = 64;

/// How much longer than the request its hold lives: what settling may take.
const GRACE: Duration = Duration::from_mins(1);

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
    let request = Request { parts: &parts, account: &account, id, plan: &plan, client: &client };
    let grant = match parts.meters.hold(&account, id, request.hold()).await {
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
    match request.record(&grant, &tally, &reported, estimated, outcome).await {
        Ok(entry) => {
            let done = || Done {
                usage: entry.usage,
                native: reported.native,
                estimated: entry.estimated,
                cost: entry.nano_usd,
            };
            let told = request.tell(answer.map(|()| Step::Event(Event::Done(done()))));
            // A client that doesn't read must not keep the hold.
            tokio::join!(told, request.settle(&grant, &entry));
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
    account: &'a Account,
    id: RequestId,
    plan: &'a Plan,
    client: &'a Sender<Sent>,
}

impl Request<'_> {
    fn hold(&self) -> Hold {
        let need = self.plan.need;
        Hold {
            input: need.input,
            output: need.output,
            cost: need.cost,
            deadline: self.parts.clock.now().after(self.parts.deadline + GRACE),
            key: self.account.key,
            model: self.plan.model.clone(),
            prices: self.plan.catalogue.version.clone(),
        }
    }

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

    /// Puts the request into the ledger. What is there already stays, and is what is charged.
    async fn record(
        &self,
        grant: &Grant,
        tally: &Tally,
        reported: &Reported,
        estimated: bool,
        outcome: Outcome,
    ) -> Result<Entry> {
        let (charged, unbilled) = usage::clip(reported.usage, &grant.need());
        if unbilled > Tokens::ZERO {
            tracing::error!(request = %self.id, model = self.plan.model, unbilled = unbilled.0, "a provider reported more tokens than can be");
        }
        let entry = Entry {
            key: self.account.key,
            model: self.plan.model.clone(),
            prices: self.plan.catalogue.version.clone(),
            usage: charged,
            nano_usd: usage::rate(&charged, self.plan.spec()?)?,
            estimated,
            unbilled,
            outcome,
            attempts: tally.attempts,
            first_ms: tally.first_ms(),
            total_ms: tally.total_ms(),
            expires_at: usage::expires_at(self.id),
        };
        match self.parts.ledger.record(self.account.tenant, self.id, entry.clone()).await? {
            Recorded::New => Ok(entry),
            Recorded::Before(entry) => Ok(*entry),
        }
    }

    /// Gives back what was not used and tells the aggregation, beside each other. What fails here the sweep repairs.
    async fn settle(&self, grant: &Grant, entry: &Entry) {
        let settle = async {
            let tokens = entry.tokens()?;
            self.parts.meters.settle(self.account, grant, tokens, entry.nano_usd).await
        };
        let publish = self.parts.publisher.publish(UsageEvent::of(self.account.tenant, self.id));
        let (settled, published) = tokio::join!(settle, publish);
        if let Err(error) = settled {
            tracing::warn!(request = %self.id, error = ?error, "a hold is left to the sweep");
        }
        if let Err(error) = published {
            tracing::warn!(request = %self.id, error = ?error, "a usage event is left to the sweep");
        }
    }
}
