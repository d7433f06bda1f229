//! One request from its hold to its settlement, in a task of its own: it goes on when the client is gone, until
//! everything about the request is in the books.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt, stream};
use tokio::{
    sync::mpsc::Sender,
    time::{Instant, sleep_until, timeout_at},
};
use tracing::{Instrument, Span};

use super::{
    Ask, CacheStatus, Completion, Done, Event, Parts, Templated,
    booking::Booking,
    cached::{Cached, Looked, Missed, Recorded},
    conversation::{Asking, Conversation},
    plan::{self, Plan},
    progress::Progress,
    route::{Begun, Route},
};
use crate::{
    auth::Caller,
    cache::Kept,
    error::{Error, Result},
    guard::Verdict,
    id::RequestId,
    llm::{Chunk, Event as ProviderEvent, ProviderError, Reported, catalogue::Catalogue},
    quota::{Grant, Rate},
    telemetry::{self, metrics, spans, spans::step},
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

/// A request as it comes in.
pub(super) struct Incoming {
    pub parts: Arc<Parts>,
    pub caller: Caller,
    pub catalogue: Arc<Catalogue>,
    pub id: RequestId,
    /// The most time that it may take.
    pub most: Duration,
    pub ask: Ask,
}

pub(super) async fn run(incoming: Incoming, client: Sender<Sent>) {
    let Incoming { parts, caller, catalogue, id, most, ask } = incoming;
    // Everything counts: earlier turns, a wait for somebody else's answer, attempts that fail.
    let deadline = Instant::now() + most;
    match prepare(&parts, &caller, catalogue, id, ask).await {
        Ok((plan, conversation)) => {
            telemetry::learn(|known| {
                known.entry = Some(id);
                known.model = plan.asked().ok().map(|asked| asked.name.clone());
            });
            let request = Request { parts: &parts, caller: &caller, id, most, deadline, plan: &plan, client: &client };
            request.answer(conversation).await;
        }
        Err(error) => tell(&client, Err(error)).await,
    }
}

/// From what is asked to what is sent.
async fn prepare(
    parts: &Arc<Parts>,
    caller: &Caller,
    catalogue: Arc<Catalogue>,
    request: RequestId,
    mut ask: Ask,
) -> Result<(Plan, Option<Conversation>)> {
    let config = caller.config();
    if let Some(Templated { wanted, earlier }) = ask.options.template.take() {
        let found = parts.templates.get(caller.tenant().id, &wanted.name, wanted.version).await?;
        found.template.apply(&wanted.variables, earlier, &mut ask.prompt)?;
        ask.model = ask.model.or(found.template.model);
    }
    caller.guard()?.check_prompt(&mut ask.prompt)?;
    plan::apply_defaults(config, &mut ask.prompt);
    let access = caller.access();
    let Some(session) = ask.options.session.take() else {
        return Ok((plan::plan(config, access, catalogue, ask)?, None));
    };
    if config.retention().is_nothing() {
        return Err(Error::NothingKept);
    }
    let model = plan::model(config, access, &catalogue, ask.model.as_deref())?;
    let asking = Asking { parts, caller, request, model };
    let conversation = Conversation::begin(asking, &session, &mut ask.prompt).await?;
    match plan::plan(config, access, catalogue, ask) {
        Ok(plan) => Ok((plan, Some(conversation))),
        Err(error) => {
            conversation.give_up().await;
            Err(error)
        }
    }
}

/// Adds the turn to its conversation, if it was answered.
async fn end(conversation: Option<Conversation>, said: Option<Completion>, model: &str) -> Result<()> {
    match (conversation, said) {
        (Some(conversation), Some(said)) => conversation.add(said, model).await,
        (conversation, _) => {
            give_up(conversation).await;
            Ok(())
        }
    }
}

async fn give_up(conversation: Option<Conversation>) {
    if let Some(conversation) = conversation {
        conversation.give_up().await;
    }
}

/// A client that is gone has nothing to be told.
async fn tell(client: &Sender<Sent>, step: Sent) {
    if let Err(error) = &step {
        telemetry::failed(error);
    }
    let _ = client.send(step).await;
}

fn done(entry: &Entry, reported: &Reported) -> Done {
    Done { usage: entry.usage, native: reported.native.clone(), estimated: entry.estimated, cost: entry.nano_usd }
}

/// What one request is about.
struct Request<'a> {
    parts: &'a Arc<Parts>,
    caller: &'a Caller,
    id: RequestId,
    most: Duration,
    deadline: Instant,
    plan: &'a Plan,
    client: &'a Sender<Sent>,
}

impl<'a> Request<'a> {
    async fn answer(&self, conversation: Option<Conversation>) {
        let Self { parts, plan, client, .. } = *self;
        let account = self.caller.account();
        let booking = Booking { parts, account: &account, id: self.id };
        let cached = Cached { parts, caller: self.caller, plan };
        // Admission and the look into the cache take one round trip, not two.
        let hold = async {
            let asked = plan.asked()?;
            booking.hold(plan.need, &asked.name, &plan.catalogue.version, plan.is_free()).await
        };
        let look = timeout_at(self.deadline, cached.look());
        let look = look.instrument(if plan.cache.is_some() { step!("cache") } else { Span::current() });
        let (grant, looked) = tokio::join!(hold, look);
        let looked = looked.unwrap_or_else(|_| Err(self.too_late()));
        let (grant, asked) = match grant.and_then(|grant| Ok((grant, plan.asked()?))) {
            Ok(admitted) => admitted,
            Err(error) => {
                give_up(conversation).await;
                return tell(client, Err(error)).await;
            }
        };
        let mut progress = Progress::new(asked, conversation.is_some());
        let (ended, missed) = self.converse(&grant, looked, &mut progress).await;
        let (ended, outcome) = match ended {
            Ok(()) => (Ok(()), Outcome::Answered),
            Err(Stop::Failed(error)) => (Err(error), Outcome::Failed),
            Err(Stop::ClientLeft) => (Ok(()), Outcome::Left),
        };
        progress.end_call(ended.as_ref().err());
        let (reported, estimated) = progress.tally.usage(&plan.prompt);
        let charge = progress.charge(&plan.catalogue.version, reported.usage, estimated, outcome);
        match booking.record(charge).await {
            Ok(entry) => {
                self.learn(&entry);
                let (recorded, said) = match outcome {
                    Outcome::Answered => (progress.recorded.filter(|_| !estimated), progress.said),
                    Outcome::Failed | Outcome::Left | Outcome::Lost => (None, None),
                };
                // Whoever goes on at once must find the turn there.
                let ended = ended.and(end(conversation, said, &progress.candidate.name).await);
                let told = tell(client, ended.map(|()| Step::Event(Event::Done(done(&entry, &reported)))));
                // A client that doesn't read must not keep the hold.
                let keep = cached.keep(recorded, &reported, missed.place.as_ref());
                tokio::join!(told, booking.settle(&grant, &entry), keep);
            }
            Err(error) => {
                // The hold stays; the sweep charges it.
                tracing::error!(request = %self.id, error = ?error, "the ledger did not take a request");
                give_up(conversation).await;
                tell(client, Err(ended.err().unwrap_or(error))).await;
            }
        }
        // Whoever waits for the answer may look for it now.
        drop(missed.lead);
    }

    /// Gets an answer and passes it on. A streamed answer ends when its client leaves; one that is not is finished,
    /// because its provider tells what it cost only at the end. Returns what follows from a miss of the cache, too.
    async fn converse(
        &self,
        grant: &Grant,
        looked: Result<Looked>,
        progress: &mut Progress<'a>,
    ) -> (Result<(), Stop>, Missed) {
        let (kept, missed) = match looked {
            Ok(Looked::Hit(kept, status)) => (Some((kept, status)), Missed::default()),
            Ok(Looked::Miss(missed)) => (None, missed),
            Err(error) => return (Err(error.into()), Missed::default()),
        };
        let conversation = async {
            match kept {
                Some((kept, status)) => self.repeat(grant, kept, status, progress).await,
                None => self.ask(grant, progress).await,
            }
        };
        let ended = tokio::select! {
            // The provider's clocks end at the deadline too; it is the deadline that is told.
            biased;
            () = sleep_until(self.deadline) => Err(self.too_late().into()),
            ended = conversation => ended,
            () = self.client.closed(), if self.plan.stream => Err(Stop::ClientLeft),
            () = self.parts.tasks.stop.cancelled() => Err(Error::Unavailable("shutting down".into()).into()),
        };
        (ended, missed)
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
        // The count comes first, so that a client who leaves pays for a hit and for nothing else.
        let events = [ProviderEvent::Usage(reported)].into_iter().chain(chunks.into_iter().map(ProviderEvent::Chunk));
        self.pass_on(stream::iter(events.map(Ok)), progress).await
    }

    /// Asks the models in turn. The grant is the proof that it is paid for.
    async fn ask(&self, grant: &Grant, progress: &mut Progress<'a>) -> Result<(), Stop> {
        let route = Route::new(&self.parts.upstreams, self.plan, self.deadline, &progress.attempts);
        let Begun { candidate, events, span } = route.begin().await.map_err(Error::from)?;
        (progress.candidate, progress.call) = (candidate, span);
        progress.recorded = Recorded::of(self.plan, &candidate.name);
        let cache = if self.plan.cache.is_some() { CacheStatus::Miss } else { CacheStatus::Bypass };
        self.start(grant, &candidate.name, cache, progress).await?;
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
        telemetry::learn(|known| known.cache = Some(cache.as_str()));
        let started = Started { rate: grant.rate(), model: model.to_owned(), cache };
        self.client.send(Ok(Step::Started(started))).await.or_else(|_| self.left())
    }

    /// Passes an answer on, as far as the tenant's guardrails let it. What they end is paid for all the same.
    async fn pass_on(
        &self,
        events: impl Stream<Item = Result<ProviderEvent, ProviderError>>,
        progress: &mut Progress<'a>,
    ) -> Result<(), Stop> {
        let mut events = pin!(events);
        let mut guard = self.caller.guard()?.stream();
        while let Some(event) = events.next().await {
            match event.map_err(Error::from)? {
                ProviderEvent::Chunk(mut chunk) => {
                    let bytes = progress.tally.chunk(&chunk);
                    progress.recorded = progress.recorded.take().and_then(|recorded| recorded.push(&chunk, bytes));
                    let verdict = guard.push(&mut chunk);
                    self.give(chunk, progress).await?;
                    if let Verdict::End { rule, .. } = verdict {
                        tracing::debug!(rule, "a guardrail ended an answer");
                        progress.recorded = None;
                        // A stream's counts come after all of it; a whole answer's are there.
                        if self.plan.stream {
                            return Ok(());
                        }
                    }
                }
                ProviderEvent::Usage(mut reported) => {
                    guard.report(&mut reported);
                    spans::counted(&progress.call, &reported.usage);
                    progress.tally.report(reported);
                }
            }
        }
        let (held, _) = guard.finish();
        self.give(held, progress).await
    }

    async fn give(&self, chunk: Chunk, progress: &mut Progress<'a>) -> Result<(), Stop> {
        if chunk == Chunk::default() {
            return Ok(());
        }
        if let Some(said) = &mut progress.said {
            said.append(chunk.clone());
        }
        self.client.send(Ok(Step::Event(Event::Chunk(chunk)))).await.or_else(|_| self.left())
    }

    /// What the request's log line says of it.
    fn learn(&self, entry: &Entry) {
        telemetry::learn(|known| {
            known.model = Some(entry.model.clone());
            known.attempts = Some(entry.attempts);
            (known.usage, known.cost) = (Some(entry.usage), Some(entry.nano_usd));
            known.first_ms = entry.first_ms;
        });
        if let Some(ms) = entry.first_ms.filter(|_| self.plan.stream && !entry.is_cache_hit()) {
            metrics::first_token(&entry.model, ms);
        }
    }

    fn too_late(&self) -> Error {
        Error::DeadlineExceeded(self.most)
    }

    fn left(&self) -> Result<(), Stop> {
        if self.plan.stream { Err(Stop::ClientLeft) } else { Ok(()) }
    }
}
