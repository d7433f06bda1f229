//! A model provider's stand-in: `OpenAI`'s HTTP wire format on a local port, with faults on request.
//!
//! How it answers is asked for in the last user message or in the model's name, by directives such as
//! `[[tokens=50]]`, so that a test whose request passes through a gateway still chooses the behaviour of each request.
//!
//! | directive | effect |
//! |---|---|
//! | `tokens=50` | an answer of 50 words (16 unless told); one word is one token and one streamed chunk |
//! | `say=any text` | exactly this text, up to the closing brackets; a word with its white space is a token |
//! | `tool=name args={"a":1}` | a tool call, unless a tool's result already follows the prompt; two of them: parallel calls |
//! | `reason=20` | 20 reasoning tokens, which are part of `completion_tokens` |
//! | `cached=10` | up to 10 of the prompt's tokens are reported as cached |
//! | `finish=length` | this finish reason |
//! | `delay=20ms` | wait before the status line; `us`, `ms` (also without a unit) or `s` |
//! | `chunk_delay=5ms` | wait before each chunk |
//! | `flush` | each event in a write of its own; unless told, events that wait for nothing leave together |
//! | `drip` | the body a few bytes at a time, split anywhere, also inside a character |
//! | `fail=429 retry_after=1 times=2 id=abc code=x` | this status; only the first two times for this id |
//! | `stall`, `stall_after=3` | no answer at all; nothing more after three chunks (buffered: after half the body) |
//! | `cut`, `cut_after=3` | the connection ends after half of the body, or after three chunks, without its terminator |
//! | `malformed_after=2` | after two chunks an event that is not JSON (buffered: half a body, complete as HTTP) |
//! | `error_in_stream`, `error_in_stream=2` | half way, or after two chunks, an error event, then the end without `[DONE]` |
//! | `no_usage` | no usage, even if it was asked for |
//! | `unknown` | unknown fields at each level |
//!
//! A directive it does not know is answered by 400, so that a misspelt one cannot make a test pass.

mod answer;
mod anthropic;
mod bedrock;
mod body;
mod chat;
mod conversation;
mod directives;
mod embeddings;
mod envelope;
mod events;
mod format;
mod gemini;
mod later;
mod openai;
mod pairing;
mod reply;
mod responses;
mod route;
mod script;
mod service;
mod stats;
mod steps;
mod syntax;
#[cfg(test)]
mod tests;
mod vendor;
mod vocabulary;
mod watch;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

pub use embeddings::embedding;
pub use stats::{Cancellation, Seen, Stats};
pub use vocabulary::{text, thoughts, words};

use stats::Shared;

/// How a stand-in is started.
#[derive(Debug, Clone)]
pub struct StandinOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Whether a request without an `Authorization` header is refused with 401.
    pub require_key: bool,
    /// How many of the latest requests, and how many of the latest cancellations, [`Stats`] remembers.
    pub remember: usize,
    /// What `GET /v1/models` lists. Completions are answered for any model.
    pub models: Vec<String>,
}

impl Default for StandinOptions {
    fn default() -> Self {
        Self { port: 0, require_key: false, remember: 64, models: vec!["small".into(), "large".into()] }
    }
}

/// A running stand-in on a thread and a runtime of its own. It stops, and closes its connections, when dropped.
#[derive(Debug)]
pub struct Standin {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Standin {
    /// Binds the port and starts to answer; connections are accepted from the moment this returns.
    ///
    /// # Errors
    /// The port is taken, or the operating system gives no socket, runtime or thread.
    pub fn start(options: StandinOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options));
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let service = Arc::clone(&shared);
        let thread = thread::Builder::new().name("standin".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = service::serve(listener, service) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { addr, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a client of `OpenAI` takes as its base URL: `http://127.0.0.1:<port>/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// What it has seen and answered so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Waits until its thread ends, which it does only if it can accept no more connections.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the thread.
            let _ = thread.join();
        }
    }
}

impl Drop for Standin {
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
