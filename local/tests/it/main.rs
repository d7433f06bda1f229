//! The platform as its users meet it: the real binary, driven over HTTP, with a model provider's stand-in behind it.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod accounts;
mod audit;
mod billing;
mod billing_plans;
mod billing_runs;
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
mod deletion;
mod departures;
mod embeddings;
mod engines;
mod errors;
mod export;
mod fallbacks;
mod guardrails;
mod idempotency;
mod invoices;
mod isolation;
mod journey;
mod key_changes;
mod key_limits;
mod key_rotation;
mod keys;
mod limits;
mod logs;
mod matrix;
mod members;
mod metrics;
mod models;
#[path = "../shared/month.rs"]
#[expect(dead_code, reason = "the rest is for tests with clocks of their own")]
mod month;
mod oidc;
mod openapi;
mod operators;
mod origin;
mod pass_through;
mod payments;
mod permissions;
mod providers;
mod quota;
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
mod templates;
mod tenant;
mod tools;
#[path = "../shared/totp.rs"]
mod totp;
mod traces;
mod usage;
mod webhooks;
