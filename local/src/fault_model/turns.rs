//! Who goes on: every call of every process waits here until the scheduler gives it its turn, one at a time.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{Notify, oneshot};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is answered.
    Answered,
    /// It fails, and nothing happens.
    Refused,
    /// It happens, and the answer is lost.
    Unheard,
    /// It happens, and the process dies before it has the answer.
    Last,
}

struct Waiting {
    process: usize,
    verdict: oneshot::Sender<Verdict>,
}

/// The calls that wait, in the order in which they came.
#[derive(Default)]
pub struct Turns {
    waiting: Mutex<Vec<Waiting>>,
    idle: Notify,
    /// A call is at the engine, or the scheduler itself asks it something.
    busy: AtomicBool,
}

impl Turns {
    /// The runtime has nothing to do.
    pub fn nothing_to_do(&self) {
        if !self.busy.load(Ordering::SeqCst) {
            self.idle.notify_one();
        }
    }

    /// Returns when every process waits for its turn, or for a process that does.
    pub async fn all_wait(&self) {
        self.idle.notified().await;
    }

    /// Waits for a turn of `process`; `None` if it died before.
    pub async fn turn(&self, process: usize) -> Option<Verdict> {
        let (verdict, given) = oneshot::channel();
        self.lock().push(Waiting { process, verdict });
        given.await.ok()
    }

    /// The processes whose calls wait.
    pub fn waiting(&self) -> Vec<usize> {
        self.lock().iter().map(|waiting| waiting.process).collect()
    }

    /// Gives the call at `index` its turn.
    pub fn give(&self, index: usize, verdict: Verdict) {
        let waiting = self.lock().remove(index);
        self.busy.store(true, Ordering::SeqCst);
        if waiting.verdict.send(verdict).is_err() {
            self.over();
        }
    }

    /// The call that had its turn is over.
    pub fn over(&self) {
        self.busy.store(false, Ordering::SeqCst);
    }

    /// Forgets the calls of a process that died.
    pub fn died(&self, process: usize) {
        self.lock().retain(|waiting| waiting.process != process);
    }

    /// Does something between two turns.
    pub async fn between<T>(&self, work: impl Future<Output = T>) -> T {
        self.busy.store(true, Ordering::SeqCst);
        let done = work.await;
        self.over();
        done
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
