//! `DynamoDB` in this process: one thread owns the database and commits for everybody who waits.
//!
//! `SQLite` has one writer, so a thread that owns it needs no lock, and whatever queues up while it
//! commits shares the next commit (see `commit`). Requests are parsed and answers are
//! rendered by the callers, which leaves the thread nothing but the database's own work.

mod commit;
mod operation;

use std::{
    collections::VecDeque,
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dynoxide::{DynoxideError, NativeDatabase};
use tokio::sync::oneshot;

use self::{
    commit::Committer,
    operation::{Outcome, Task},
};
use super::{
    EngineError, Writes,
    wire::{JSON_1_0, Reply},
};

/// How often expired items are removed; `DynamoDB` itself promises "within a few days".
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// A sweep reads whole tables, so a long one is followed by this many times its duration of rest.
const SWEEP_REST: u32 = 50;

/// A handle on the database thread.
#[derive(Debug, Clone)]
pub(super) struct Dynamo {
    queue: Sender<Message>,
    counters: Arc<Counters>,
}

/// A request that waits for the database thread.
struct Job {
    task: Task,
    reply: oneshot::Sender<Outcome>,
    /// The item that it writes, if the write can share a commit.
    target: Option<String>,
}

enum Message {
    Job(Box<Job>),
    Stop(oneshot::Sender<()>),
}

#[derive(Debug, Default)]
struct Counters {
    operations: AtomicU64,
    commits: AtomicU64,
}

impl Dynamo {
    /// Opens or creates the database at `path` and starts its thread, which holds `lock` until it ends.
    pub fn open(path: &Path, lock: File) -> Result<Self, EngineError> {
        let refused = |reason: String| EngineError::Database { path: path.to_owned(), reason };
        let text = path.to_str().ok_or_else(|| refused("its path is not UTF-8".to_owned()))?;
        let database = NativeDatabase::new(text).map_err(|error| refused(error.to_string()))?;
        let counters = Arc::new(Counters::default());
        let (queue, jobs) = mpsc::channel();
        let (awake, stopped) = mpsc::channel();
        let swept = database.clone();
        thread::Builder::new()
            .name("dynamo-ttl".to_owned())
            .spawn(move || sweep(&swept, &stopped))
            .map_err(EngineError::Thread)?;
        let committer = Committer::new(database, Arc::clone(&counters));
        thread::Builder::new()
            .name("dynamo".to_owned())
            .spawn(move || serve(committer, &jobs, awake, lock))
            .map_err(EngineError::Thread)?;
        Ok(Self { queue, counters })
    }

    /// Answers one `DynamoDB` request; it is durable when this returns.
    pub async fn call(&self, operation: &str, body: Bytes) -> Reply {
        let task = match operation::parse(operation, &body) {
            Ok(Some(task)) => task,
            Ok(None) => {
                return Reply::error(JSON_1_0, 400, "UnknownOperationException", operation);
            }
            Err(error) => return refusal(&error),
        };
        let (reply, answer) = oneshot::channel();
        let job = Message::Job(Box::new(Job { task, reply, target: None }));
        let sent = self.queue.send(job).is_ok();
        match if sent { answer.await.ok() } else { None } {
            Some(Ok(render)) => match render() {
                Ok(body) => Reply::ok(JSON_1_0, body),
                Err(error) => refusal(&DynoxideError::InternalServerError(error.to_string())),
            },
            Some(Err(error)) => refusal(&error),
            None => refusal(&DynoxideError::InternalServerError("the embedded database is closed".to_owned())),
        }
    }

    /// Answers whatever waits, closes the database and returns when it is closed.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Stop(done)).is_ok() {
            // An error means that the thread has ended already.
            let _ = closed.await;
        }
    }

    /// How much was written so far.
    pub fn writes(&self) -> Writes {
        Writes {
            operations: self.counters.operations.load(Ordering::Relaxed),
            commits: self.counters.commits.load(Ordering::Relaxed),
        }
    }
}

fn refusal(error: &DynoxideError) -> Reply {
    Reply { status: error.status_code(), content_type: JSON_1_0, body: error.to_json().into() }
}

fn serve(mut committer: Committer, jobs: &Receiver<Message>, awake: Sender<()>, lock: File) {
    let mut waiting = VecDeque::new();
    let mut stop = None;
    while stop.is_none() {
        let Ok(message) = jobs.recv() else { break };
        let mut next = Some(message);
        loop {
            // Whatever arrived during the last commit takes part in the next one.
            while let Some(message) = next.take().or_else(|| jobs.try_recv().ok()) {
                match message {
                    Message::Job(mut job) => {
                        job.target = committer.target(&job.task);
                        waiting.push_back(job);
                    }
                    Message::Stop(done) => stop = Some(done),
                }
            }
            if !committer.step(&mut waiting) {
                break;
            }
        }
    }
    drop(awake);
    drop(committer);
    drop(lock);
    if let Some(done) = stop {
        // Whoever asked may have stopped waiting.
        let _ = done.send(());
    }
}

/// Removes expired items now and then, a page at a time, between the requests of the database thread.
fn sweep(database: &NativeDatabase, stopped: &Receiver<()>) {
    let mut rest = SWEEP_EVERY;
    while matches!(stopped.recv_timeout(rest), Err(RecvTimeoutError::Timeout)) {
        let began = Instant::now();
        match database.sweep_ttl() {
            Ok(0) => {}
            Ok(expired) => tracing::debug!(expired, "removed expired items"),
            Err(error) => tracing::warn!(%error, "cannot remove expired items"),
        }
        rest = SWEEP_EVERY.max(began.elapsed() * SWEEP_REST);
    }
}
