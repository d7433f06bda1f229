//! `lmo`: the whole platform in one process, and the operator's commands.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to the person who started it")]

use std::process::ExitCode;

use clap::Parser;
use lmo_local::{engine, problem, resources};

mod args;
mod backend;
mod banner;
mod commands;
mod discovery;
mod engines;
mod serve;

/// A fifth of the time under load went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    lmo_shared::telemetry::start(lmo_shared::telemetry::Format::Text);
    let done = match args.command {
        None => serve::run(&args.place, &args.serve).await,
        Some(args::Command::Engines(engines)) => engines::run(&args.place, &engines).await,
        Some(command) => commands::run(&args.place, command).await,
    };
    match done {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("lmo: {problem}");
            ExitCode::from(2)
        }
    }
}
