//! The functions as Lambda runs them: each real binary against a Runtime API of our own, fed with the events of `events/`,
//! over the embedded engines behind `AWS_ENDPOINT_URL`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod batches;
mod events;
mod faults;
mod journey;
mod metrics;
mod sockets;
mod start;
mod stop;
mod streams;
mod support;
mod together;
