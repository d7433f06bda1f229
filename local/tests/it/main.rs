//! The platform as its users meet it: the real binary, driven over HTTP, with a model provider's stand-in behind it.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod broken_authentication;
mod burst;
mod cache;
mod caller_errors;
mod caps;
mod chaos;
mod cli;
mod client_credentials;
mod config;
mod cors;
mod crash;
mod departures;
mod embeddings;
mod engines;
mod errors;
mod fallbacks;
mod guardrails;
mod isolation;
mod journey;
mod key_rotation;
mod keys;
mod limits;
mod logs;
mod matrix;
mod metrics;
mod models;
mod openapi;
mod origin;
mod pass_through;
mod request_errors;
mod retries;
mod secrets;
mod sessions;
mod shutdown;
mod sockets;
mod stream_events;
mod stream_faults;
mod streams;
mod sub_meters;
mod support;
mod tools;
mod traces;
mod usage;
mod webhooks;
