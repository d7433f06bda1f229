//! The pipeline: caller -> admit -> model -> settle + publish. Every front end is a view on the events that it yields.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::{
    auth::{Caller, Permission},
    cache::{AnswerCache, Flights, Neighbours},
    clock::Clock,
    config::Flush,
    error::{Error, Result},
    id::RequestId,
    llm::{
        Chunk, Native, Prompt, Upstreams, Usage,
        catalogue::{Catalogues, DEFAULT_ALIAS, Regions},
    },
    money::NanoUsd,
    quota::{Meters, Rate},
    session::Sessions,
    telemetry::carry,
    template::Templates,
    usage::{Ledger, Publisher},
};

mod booking;
mod cached;
mod completion;
mod conversation;
mod embed;
mod options;
mod plan;
mod progress;
mod route;
mod run;
mod tally;

pub use completion::{Choice, Completion};
pub use embed::{EmbedAnswer, EmbedAsk, EmbedInputs};
pub use options::{Options, Templated};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// A model's name or alias; the tenant's default if absent.
    pub model: Option<String>,
    /// The conversation and its parameters.
    pub prompt: Prompt,
    /// Whether the caller wants the answer piece by piece.
    pub stream: bool,
    /// How it is routed and cached.
    pub options: Options,
}

/// What the cache had to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// Nothing.
    Bypass,
    /// It had no answer.
    Miss,
    /// It had the answer to the same request.
    Hit,
    /// It had the answer to a similar question.
    Semantic,
}

impl CacheStatus {
    /// As it is told in `X-LMO-Cache`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Miss => "miss",
            Self::Hit => "hit",
            Self::Semantic => "semantic",
        }
    }
}

/// A step of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A piece, as large as the provider made it.
    Chunk(Chunk),
    /// The end. The request is in the ledger.
    Done(Done),
}

/// What an answer took.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// Tokens that are charged.
    pub usage: Usage,
    /// The provider's own last words, for a client of the same format: see [`crate::llm::Reported::native`].
    pub native: Option<Native>,
    /// Whether LMO counted the tokens, because the provider reported none.
    pub estimated: bool,
    /// What they cost.
    pub cost: NanoUsd,
}

/// What the pipeline is made of.
pub struct Parts {
    /// Models and prices.
    pub catalogues: Arc<Catalogues>,
    /// Their providers.
    pub upstreams: Upstreams,
    /// What admits.
    pub meters: Meters,
    /// Answers to be given again.
    pub cache: AnswerCache,
    /// Questions that were answered, by their vectors.
    pub neighbours: Neighbours,
    /// The questions that are being asked.
    pub flights: Flights,
    /// Conversations.
    pub sessions: Sessions,
    /// Prompt templates.
    pub templates: Templates,
    /// What decides what is billed.
    pub ledger: Ledger,
    /// What tells the aggregation.
    pub publisher: Publisher,
    /// The time.
    pub clock: Clock,
    /// The most time that a request may take.
    pub deadline: Duration,
    /// When the last byte may go out.
    pub flush: Flush,
    /// Where requests are worked on.
    pub tasks: Tasks,
}

/// The requests that are being worked on. They outlive their clients, so that whatever was received is settled.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    closing: CancellationToken,
    stop: CancellationToken,
}

impl Tasks {
    /// Lets connections end that outlive their requests, each as soon as nothing is being answered on it.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Resolves when connections are to end.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// For what is done beside requests, and has to be done before the process ends.
    #[must_use]
    pub fn tracker(&self) -> TaskTracker {
        self.tracker.clone()
    }

    /// Counts as something that is being worked on, until it is dropped.
    pub fn token(&self) -> TaskTrackerToken {
        self.tracker.token()
    }

    /// Waits until nothing is being worked on. More may be begun all the same.
    pub async fn idle(&self) {
        // Otherwise the tracker waits for what may come, too. It takes new tasks nevertheless.
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Waits for all requests to end by themselves; after `patience` ends them where they are. They are settled either
    /// way.
    pub async fn finish(&self, patience: Duration) {
        self.close();
        if tokio::time::timeout(patience, self.idle()).await.is_err() {
            self.stop.cancel();
            self.idle().await;
        }
    }
}

/// Answers requests.
#[derive(Clone)]
pub struct Answers(Arc<Parts>);

impl Answers {
    /// A pipeline of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Admits the request, calls the model, and returns as soon as its provider begins to answer.
    ///
    /// # Errors
    /// Whatever went wrong before the first byte. It is settled like any other end.
    pub async fn answer(&self, caller: &Caller, ask: Ask) -> Result<Answer> {
        self.answer_within(self.0.deadline, caller, ask).await
    }

    /// The same in less time.
    async fn answer_within(&self, most: Duration, caller: &Caller, ask: Ask) -> Result<Answer> {
        let answer = self.begin(most, caller, ask, std::future::pending()).await?;
        answer.ok_or_else(|| Error::internal("a client left who can't"))
    }

    /// The same for a client who can leave before there is an answer: then `left` resolves, what was streamed ends at its
    /// provider, and there is none.
    ///
    /// # Errors
    /// As [`Answers::answer`].
    pub async fn answer_unless(
        &self,
        caller: &Caller,
        ask: Ask,
        left: impl Future<Output = ()>,
    ) -> Result<Option<Answer>> {
        self.begin(self.0.deadline, caller, ask, left).await
    }

    async fn begin(
        &self,
        most: Duration,
        caller: &Caller,
        ask: Ask,
        left: impl Future<Output = ()>,
    ) -> Result<Option<Answer>> {
        caller.require(Permission::Query)?;
        let parts = Arc::clone(&self.0);
        let catalogue = parts.catalogues.current().await?;
        let id = RequestId::new(parts.clock.now());
        let flush = parts.flush;
        let (sender, mut steps) = mpsc::channel(run::AHEAD);
        let tracker = parts.tasks.tracker.clone();
        let incoming = run::Incoming { parts, caller: caller.clone(), catalogue, id, most, ask };
        let task = tracker.spawn(carry(run::run(incoming, sender)));
        let first = tokio::select! {
            first = steps.recv() => first,
            () = left => {
                drop(steps);
                settled(task, flush).await;
                return Ok(None);
            }
        };
        match first {
            Some(Ok(run::Step::Started(run::Started { rate, model, cache }))) => {
                Ok(Some(Answer { id, model, rate, cache, steps, task, flush, ahead: None, ended: false }))
            }
            Some(Ok(run::Step::Event(_))) | None => Err(Error::internal("an answer began without its head")),
            Some(Err(error)) => {
                drain(&mut steps, flush).await;
                Err(error)
            }
        }
    }

    /// Reads what the first request will need: the catalogue, and the keys of the model that answers who names none.
    /// What can't be read now is read, and its failure told, when it is needed.
    pub async fn get_ready(&self) {
        let Ok(catalogue) = self.0.catalogues.current().await else { return };
        if let Ok((_, model)) = catalogue.model(DEFAULT_ALIAS)
            && let Ok(provider) = catalogue.provider_of(model)
        {
            let _ = self.0.upstreams.upstream(provider, Regions::default(), None).await;
        }
    }

    /// The model catalogue that the pipeline goes by.
    #[must_use]
    pub fn catalogues(&self) -> &Catalogues {
        &self.0.catalogues
    }
}

/// An answer that has begun. Dropping it ends a streamed one at its provider; what was received is charged.
pub struct Answer {
    /// The request's id, in the ledger too.
    pub id: RequestId,
    /// The model that answers, as the catalogue calls it.
    pub model: String,
    /// What remains in the minute.
    pub rate: Rate,
    /// What the cache had to do with it.
    pub cache: CacheStatus,
    steps: mpsc::Receiver<run::Sent>,
    task: JoinHandle<()>,
    flush: Flush,
    /// Taken from the channel, and not yet given out.
    ahead: Option<run::Sent>,
    ended: bool,
}

impl Answer {
    /// The next event; `None` after `Done` or an error. If it is dropped before it is ready, nothing is lost.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        if self.ended {
            return None;
        }
        if self.ahead.is_none() {
            let ended = || Err(Error::internal("an answer ended without its end"));
            self.ahead = Some(self.steps.recv().await.unwrap_or_else(ended));
        }
        if !matches!(self.ahead, Some(Ok(run::Step::Event(Event::Chunk(_))))) {
            drain(&mut self.steps, self.flush).await;
            self.ended = true;
        }
        match self.ahead.take()? {
            Ok(run::Step::Event(event)) => Some(Ok(event)),
            Ok(run::Step::Started(_)) => Some(Err(Error::internal("an answer began twice"))),
            Err(error) => Some(Err(error)),
        }
    }

    /// The next piece if it is there already; its end is left to [`Answer::next`].
    pub fn next_ready(&mut self) -> Option<Result<Event>> {
        // The end is not taken from the channel here, because behind it may be something to wait for.
        if self.ended || self.ahead.is_some() {
            return None;
        }
        match self.steps.try_recv() {
            Ok(Ok(run::Step::Event(Event::Chunk(chunk)))) => Some(Ok(Event::Chunk(chunk))),
            Ok(other) => {
                self.ahead = Some(other);
                None
            }
            Err(_) => None,
        }
    }

    /// Ends it as a client who leaves does, and waits until it is settled where the process may be frozen afterwards.
    pub async fn leave(self) {
        drop(self.steps);
        settled(self.task, self.flush).await;
    }

    /// The whole answer.
    ///
    /// # Errors
    /// Whatever ended it.
    pub async fn collect(mut self) -> Result<Completion> {
        let mut completion = Completion::default();
        while let Some(event) = self.next().await {
            match event? {
                Event::Chunk(chunk) => completion.append(chunk),
                Event::Done(done) => return Ok(completion.finish(done)),
            }
        }
        Err(Error::internal("an answer ended without its end"))
    }
}

/// Waits for a request that nobody listens to, where the process may be frozen afterwards.
async fn settled(task: JoinHandle<()>, flush: Flush) {
    if flush == Flush::BeforeReturning {
        let _ = task.await;
    }
}

/// Waits until the request is settled and published, where the process may be frozen behind the answer.
async fn drain(steps: &mut mpsc::Receiver<run::Sent>, flush: Flush) {
    if flush == Flush::BeforeReturning {
        while steps.recv().await.is_some() {}
    }
}
