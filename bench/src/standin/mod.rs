//! The providers' stand-in: every wire format that LMO speaks, on a local port, with faults on request.
//!
//! | request | format | key |
//! |---|---|---|
//! | `POST /v1/chat/completions` | `OpenAI`'s chat completions | `authorization` |
//! | `POST /v1/responses` | `OpenAI`'s Responses | `authorization` |
//! | `POST /v1/messages` | Anthropic's Messages | `x-api-key` |
//! | `POST /v1beta/models/{model}:generateContent`, `:streamGenerateContent?alt=sse` | Gemini | `x-goog-api-key` |
//! | `POST /model/{model}/converse`, `/converse-stream` | Bedrock's Converse | `authorization` |
//! | `POST /v1/embeddings` | `OpenAI`'s embeddings, as numbers or base64 | `authorization` |
//! | `POST /model/{model}/invoke` | Titan (`amazon.titan-embed-text-*`) and Cohere (`cohere.embed-*`) on Bedrock | `authorization` |
//! | `POST /v1beta/models/{model}:batchEmbedContents` | Gemini's embeddings | `x-goog-api-key` |
//! | `GET /v1/models` | `OpenAI`'s list of models | `authorization` |
//!
//! Errors have the shape of the vendor whose path it is, and so have header fields. A key is wanted only if
//! [`StandinOptions::require_key`] says so; nobody checks it. Several stand-ins can run in one process, each on its own
//! port, and stand for several providers.
//!
//! # Directives
//!
//! How it answers is asked for in the last user message or in the model's name, by directives such as
//! `[[tokens=50]]`, so that a test whose request passes through a gateway still chooses the behaviour of each request.
//! They mean the same in all formats.
//!
//! | directive | effect |
//! |---|---|
//! | `tokens=50` | an answer of 50 words (16 unless told), which is [`text`]`(50)`; one word is one token and one streamed chunk |
//! | `say=any text` | exactly this text, up to the closing brackets; a word with its white space is a token |
//! | `tool=name args={"a":1}` | a tool call, unless a tool's result already follows the prompt; two of them: parallel calls |
//! | `reason=20` | 20 reasoning tokens, which are part of the answer's; [`thoughts`]`(20)`, where the format shows them |
//! | `cached=10` | up to 10 of the prompt's tokens are reported as cached |
//! | `cache_write=10`, `cache_write_1h=4` | up to 10 as written to the cache, 4 of them for an hour, where the format has it |
//! | `finish=length` | this finish reason, see below |
//! | `delay=20ms` | wait before the status line; `us`, `ms` (also without a unit) or `s` |
//! | `chunk_delay=5ms` | wait before each chunk |
//! | `flush` | each event in a write of its own; unless told, events that wait for nothing leave together |
//! | `drip` | the body a few bytes at a time, split anywhere, also inside a character |
//! | `fail=429 retry_after=1 times=2 id=abc code=x` | this status, called x; only the first two times for this id |
//! | `stall`, `stall_after=3` | no answer at all; nothing more after three chunks (buffered: after half the body) |
//! | `cut`, `cut_after=3` | the connection ends after half of the body, or after three chunks, without its terminator |
//! | `malformed_after=2` | after two chunks an event that is not JSON (buffered: half a body, complete as HTTP) |
//! | `corrupt_after=2` | the same with an event that is not UTF-8, or whose checksum is wrong |
//! | `error_in_stream`, `error_in_stream=2 code=x` | half way, or after two chunks, an error called x, then the end |
//! | `no_usage` | no usage, even if it was asked for |
//! | `unknown` | unknown fields at each level, and an event of an unknown type where events have types |
//!
//! A directive it does not know is answered by 400, so that a misspelt one cannot make a test pass. A chunk is an event
//! with a piece of the answer, so `cut_after=0` comes after the events that begin it. Gemini sends a call whole, as one
//! chunk. For embeddings the directives are those of all texts; what is about answers in words has no effect there.
//!
//! `finish` takes the words of chat completions and says them in the format's own: `stop`, `length`, `tool_calls` and
//! `content_filter` are `end_turn`, `max_tokens`, `tool_use` and `refusal` of Messages, or `STOP`, `MAX_TOKENS`, `STOP` and
//! `SAFETY` of Gemini. Any other word is said as it is (`stop_sequence`, `pause_turn`, `RECITATION`). Responses end as
//! completed, incomplete or, with `finish=failed`, failed.
//!
//! The `code` of a failure is `error.code` of `OpenAI`, the error's `type` of Anthropic, its `status` of Gemini
//! (`RESOURCE_EXHAUSTED`) and the exception of Bedrock (`ThrottlingException`, or `throttlingException` in a stream).
//!
//! # Tokens
//!
//! A prompt has as many tokens as it has words, and three more for each message; the system prompt is a message, and so is
//! each tool's result, wherever the format puts it. Images, documents, calls and thoughts count nothing. So a prompt has
//! the same tokens in every format. Texts to embed have their words alone.
//!
//! # What is refused
//!
//! Requests are read as strictly as the providers read them, because a request that only a stand-in takes is worth
//! nothing: unknown fields, wrong types, kinds of content that the format doesn't have, calls without results, roles that
//! don't alternate (Converse), output limits under 16 (Responses). Chat completions are the exception: servers that speak
//! them differ too much.

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
    /// Whether a request without its vendor's key is refused.
    pub require_key: bool,
    /// How many of the latest requests, and how many of the latest cancellations, [`Stats`] remembers.
    pub remember: usize,
    /// What `GET /v1/models` lists. Requests are answered for any model.
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

    /// What clients of the other vendors' take as their base URL, or begin it with: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.addr)
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
