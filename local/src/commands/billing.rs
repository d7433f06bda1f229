//! `lmo billing`.

mod coupon;
mod credit;
mod export;
mod plan;
mod reconcile;
mod report;
mod run;
mod settings;
mod stripe;

use std::process::ExitCode;

use crate::{args::Billing, backend::Backend, problem::Problem};

/// Does it.
pub async fn run(backend: &Backend, command: Billing) -> Result<ExitCode, Problem> {
    let platform = &backend.platform;
    match command {
        Billing::Settings(command) => settings::run(platform, command).await,
        Billing::Plan(args) => plan::run(platform, &args).await,
        Billing::Credit(args) => credit::run(platform, args).await,
        Billing::Coupon(command) => coupon::run(platform, command).await,
        Billing::Run(args) => run::run(backend, args).await,
        Billing::Stripe(args) => stripe::run(backend, args).await,
        Billing::Reconcile(args) => reconcile::run(platform, &args).await,
        Billing::Report(args) => report::run(platform, &args).await,
        Billing::Export(args) => export::run(backend, args).await,
    }
}

/// A number, or what is wrong with it.
fn read<T: TryFrom<String, Error = &'static str>>(option: &str, text: String) -> Result<T, Problem> {
    T::try_from(text).map_err(|wrong| Problem(format!("{option}: {wrong}")))
}
