//! LMO's library: everything that the functions share. A function is a thin handler over it.
//!
//! Direction of dependency: `store`, `aws` <- domains (`tenant`, `auth`, `llm`, `cache`, `session`, `guard`, `quota`, `usage`) <-
//! `answer` <- `http`.
//! Domains know no HTTP framework, and `http` is the only place that knows axum.

pub mod answer;
pub mod audit;
pub mod auth;
pub mod aws;
mod batch;
pub mod billing;
pub mod cache;
pub mod clock;
pub mod config;
pub mod error;
pub mod function;
pub mod guard;
pub mod http;
pub mod id;
pub mod llm;
pub mod mail;
pub mod money;
pub mod oidc;
pub mod outbound;
pub mod people;
pub mod platform;
pub mod quota;
pub mod seal;
mod secret;
pub mod session;
pub mod store;
pub mod telemetry;
pub mod template;
pub mod tenant;
pub mod usage;
pub mod webhook;
