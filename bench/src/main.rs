//! Measures LMO next to its provider called directly, then what its cache and its fallbacks do: tables on stdout, all
//! figures as JSON in a file.
#![expect(clippy::print_stdout, reason = "the table is this program's output")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lmo_bench::children::{Gateway, StandinProcess, pin_self};
use lmo_bench::comparison::{Comparison, Effort, Routing, compare, route};
use lmo_bench::functions;
use lmo_bench::standin::{Standin, StandinOptions};
use lmo_bench::stripe::{Hook, StripeOptions, StripeStandin};
use lmo_bench::table;
use serde::Serialize;

/// Measure LMO next to its provider called directly.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// The `lmo` binary; build it with --release.
    #[arg(long, required_unless_present = "standin")]
    lmo: Option<PathBuf>,
    /// Where all figures go.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measure for seconds instead of minutes.
    #[arg(long)]
    quick: bool,
    /// Be the provider's stand-in: how this program starts itself a second time.
    #[arg(long, hide = true)]
    standin: bool,
}

#[derive(Subcommand)]
enum What {
    /// Measure the functions' binaries on a Runtime API of our own: cold starts, and what Lambda's way adds.
    Lambda {
        /// Their folder, as Cargo or `cargo xtask package` makes it.
        #[arg(long)]
        functions: PathBuf,
        /// The `lmo` binary; build it with --release.
        #[arg(long)]
        lmo: PathBuf,
        /// Measure less often.
        #[arg(long)]
        quick: bool,
    },
    /// Be Stripe's stand-in, until this is stopped.
    Stripe {
        /// The port on 127.0.0.1; a free one unless told.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Who is told of events: the address of LMO's `/webhooks/stripe`.
        #[arg(long, requires = "webhook_secret")]
        webhook: Option<String>,
        /// What events are signed with.
        #[arg(long)]
        webhook_secret: Option<String>,
    },
}

/// All figures.
#[derive(Serialize)]
struct Results {
    #[serde(flatten)]
    comparison: Comparison,
    routing: Routing,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (arguments.what, arguments.lmo) {
        (Some(What::Lambda { functions, lmo, quick }), _) => lambda(&functions, &lmo, quick),
        (Some(What::Stripe { port, webhook, webhook_secret }), _) => {
            stripe(port, webhook.zip(webhook_secret).map(|(url, secret)| Hook { url, secret }))
        }
        (None, Some(lmo)) if !arguments.standin => measure(&lmo, arguments.json, arguments.quick),
        (None, _) => serve(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn lambda(folder: &Path, lmo: &Path, quick: bool) -> Result<(), Box<dyn Error>> {
    let effort = if quick { functions::Effort::QUICK } else { functions::Effort::FULL };
    print!("{}", functions::markdown(&functions::measure(folder, lmo, effort)?));
    Ok(())
}

fn stripe(port: u16, hook: Option<Hook>) -> Result<(), Box<dyn Error>> {
    let stripe = StripeStandin::start(StripeOptions { port, hook, ..StripeOptions::default() })?;
    println!("{}", stripe.origin());
    stripe.join();
    Ok(())
}

fn serve() -> Result<(), Box<dyn Error>> {
    let standin = Standin::start(StandinOptions { remember: 0, ..StandinOptions::default() })?;
    println!("{}", standin.base_url());
    standin.join();
    Ok(())
}

fn measure(lmo: &Path, json: Option<PathBuf>, quick: bool) -> Result<(), Box<dyn Error>> {
    pin_self();
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    let standin = StandinProcess::start(&std::env::current_exe()?, &["--standin"])?;
    let mut gateway = Gateway::start(lmo, standin.base_url())?;
    let mut start_ms = vec![gateway.started_in().as_secs_f64() * 1e3];
    for _ in 1..effort.starts {
        gateway = Gateway::start(lmo, standin.base_url())?;
        start_ms.push(gateway.started_in().as_secs_f64() * 1e3);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let comparison = runtime.block_on(compare(standin.base_url(), &gateway, start_ms, effort))?;
    print!("{}", table::markdown(&comparison));
    drop(standin);
    let standin = Standin::start(StandinOptions { remember: 0, ..StandinOptions::default() })?;
    gateway = Gateway::start(lmo, &standin.base_url())?;
    let routing = runtime.block_on(route(&standin, &gateway, effort))?;
    print!("\n{}", table::routing(&routing));
    if let Some(path) = json {
        fs::write(path, serde_json::to_vec_pretty(&Results { comparison, routing })?)?;
    }
    Ok(())
}
