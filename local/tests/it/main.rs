//! The platform as its users meet it: the real binary, driven over HTTP, with a model provider's stand-in behind it.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod accounts;
mod audit;
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
mod idempotency;
mod isolation;
mod journey;
mod key_changes;
mod key_limits;
mod key_rotation;
mod keys;
mod limits;
mod logs;
mod matrix;
mod metrics;
mod models;
mod openapi;
mod operators;
mod origin;
mod pass_through;
mod regions;
mod request_errors;
mod retention;
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
mod tenant;
mod tools;
#[path = "../shared/totp.rs"]
mod totp;
mod traces;
mod usage;
