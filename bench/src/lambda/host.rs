//! One execution environment's Runtime API, on a thread and a runtime of its own.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{Mutex as Turn, mpsc, oneshot, watch};

use super::invocation::{Invocation, Piece};
use super::service;

/// What the function gets when it asks for its next event.
#[derive(Debug, Clone)]
pub struct Invoke {
    /// The event, as JSON.
    pub event: Bytes,
    /// `Lambda-Runtime-Trace-Id`, as X-Ray writes it.
    pub trace_id: String,
    /// How long the function may take, from now on.
    pub timeout: Duration,
}

impl From<&Value> for Invoke {
    /// With 30 seconds and a trace that nobody has.
    fn from(event: &Value) -> Self {
        Self {
            event: event.to_string().into(),
            trace_id: "Root=1-69218a2f-3f1c5b7e2a9d4c60718e5f32;Parent=53995c3f42cd8ad8;Sampled=1".to_owned(),
            timeout: Duration::from_secs(30),
        }
    }
}

/// What the host does wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The next poll for an event is answered with this status.
    NextFails(u16),
    /// The connection ends as soon as the response that is posted next has this many bytes.
    ResponseCut(usize),
}

/// Why a function did not start, as it told `/runtime/init/error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitError {
    /// `Lambda-Runtime-Function-Error-Type`.
    pub kind: String,
    /// The body: `errorMessage` and `errorType`.
    pub body: String,
}

/// A running Runtime API. It stops, and closes its connections, when dropped.
#[derive(Debug)]
pub struct Host {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Binds a free port of 127.0.0.1 and answers from the moment this returns.
    ///
    /// # Errors
    /// The operating system gives no socket, runtime or thread.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::new());
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let service = Arc::clone(&shared);
        let thread = thread::Builder::new().name("lambda".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = service::serve(listener, service) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { addr, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// What the function takes as `AWS_LAMBDA_RUNTIME_API`.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Gives an event to whichever poll comes next.
    pub fn invoke(&self, invoke: impl Into<Invoke>) -> Invocation {
        let (reply, pieces) = mpsc::unbounded_channel();
        // The receiver lives as long as this.
        let _ = self.shared.queue.send(Waiting { invoke: invoke.into(), reply });
        Invocation::new(pieces)
    }

    /// Does something wrong at the next occasion.
    pub fn fail(&self, fault: Fault) {
        self.shared.lock().fault = Some(fault);
    }

    /// When the function first asked for an event, which ends its initialisation; waits for it.
    pub async fn first_poll(&self) -> Instant {
        self.seen(|seen| seen.first_poll).await
    }

    /// What the function told of its failure to start; waits for it.
    pub async fn init_error(&self) -> InitError {
        self.seen(|seen| seen.init_error.clone()).await
    }

    /// What it told so far, if it did.
    #[must_use]
    pub fn init_error_so_far(&self) -> Option<InitError> {
        self.shared.seen.borrow().init_error.clone()
    }

    /// The names of the extensions that were registered, which is how a runtime asks for SIGTERM.
    #[must_use]
    pub fn extensions(&self) -> Vec<String> {
        self.shared.seen.borrow().extensions.clone()
    }

    async fn seen<T>(&self, what: impl Fn(&Seen) -> Option<T>) -> T {
        let mut seen = self.shared.seen.subscribe();
        loop {
            if let Some(found) = what(&seen.borrow_and_update()) {
                return found;
            }
            // The sender lives as long as this.
            let _ = seen.changed().await;
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An event that waits for a poll.
#[derive(Debug)]
pub(super) struct Waiting {
    pub invoke: Invoke,
    pub reply: mpsc::UnboundedSender<Piece>,
}

/// What the function did besides answering.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub first_poll: Option<Instant>,
    pub init_error: Option<InitError>,
    pub extensions: Vec<String>,
}

/// What the host's connections share.
#[derive(Debug)]
pub(super) struct Shared {
    queue: mpsc::UnboundedSender<Waiting>,
    /// Polls are served in turn.
    pub waiting: Turn<mpsc::UnboundedReceiver<Waiting>>,
    pub seen: watch::Sender<Seen>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Who waits for the answers to the events that are being handled, by request id.
    pub running: HashMap<String, mpsc::UnboundedSender<Piece>>,
    pub fault: Option<Fault>,
    pub requests: u64,
}

impl Shared {
    fn new() -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        Self { queue, waiting: Turn::new(waiting), seen: watch::Sender::default(), state: Mutex::default() }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
