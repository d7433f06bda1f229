//! `lmo billing`.

mod run;
mod stripe;

use std::process::ExitCode;

use crate::{args::Billing, backend::Backend, problem::Problem};

/// Does it.
pub async fn run(backend: &Backend, command: Billing) -> Result<ExitCode, Problem> {
    match command {
        Billing::Run(args) => run::run(backend, args).await,
        Billing::Stripe(args) => stripe::run(backend, args).await,
    }
}
