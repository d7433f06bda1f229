//! AWS Lambda around a function's real binary: the Runtime API that it polls, and the process it runs in.
//!
//! Spoken is the Runtime API 2018-06-01 as far as functions use it, with streamed responses, and of the Extensions API
//! 2020-01-01 the registration that a runtime needs in order to be told of its end ("Using the Lambda runtime API for
//! custom runtimes" and "Using the Lambda Extensions API", AWS Lambda Developer Guide). One [`Function`] is one execution
//! environment: its process, and a [`Host`] of its own.

mod answer;
mod binaries;
mod engines;
mod event;
mod function;
mod host;
mod http;
mod invocation;
mod service;
#[cfg(test)]
mod tests;

pub use answer::{Answer, FunctionError};
pub use binaries::Binaries;
pub use engines::Engines;
pub use event::{HttpEvent, event};
pub use function::{Ended, Function, Launch};
pub use host::{Fault, Host, InitError, Invoke};
pub use http::HttpAnswer;
pub use invocation::{Chunk, Invocation};
