//! What triggers the functions in the cloud, fed to their handlers over the embedded engines.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod accounts;
mod aggregate;
mod alerts;
mod billing_cases;
mod billing_plans;
mod billing_runs;
mod caps_raised;
mod key_routes;
#[path = "../shared/month.rs"]
mod month;
mod payments;
mod purge;
mod requests;
mod sealing;
mod session_routes;
mod sessions;
mod signing;
mod support;
mod tokens;
#[path = "../shared/totp.rs"]
mod totp;
mod usage_export;
mod webhooks;
mod websocket;
