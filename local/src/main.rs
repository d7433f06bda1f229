//! `lmo`: the whole platform in one process, and the operator's commands.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to the person who started it")]

use std::process::ExitCode;

use clap::Parser;
use lmo_local::{engine, problem, resources};
use lmo_shared::telemetry;

mod args;
mod backend;
mod banner;
mod commands;
mod discovery;
mod engines;
mod mail;
mod prometheus;
mod serve;

/// A fifth of the time under load went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    let done = run(args).await;
    match done {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("lmo: {problem}");
            ExitCode::from(2)
        }
    }
}

async fn run(args: args::Args) -> Result<ExitCode, problem::Problem> {
    telemetry::start(telemetry::Format::Text)?;
    let done = match args.command {
        None => serve::run(&args.place, &args.serve).await,
        Some(args::Command::Engines(engines)) => engines::run(&args.place, args.serve.port, &engines).await,
        Some(command) => commands::run(&args.place, args.serve.port, command).await,
    };
    telemetry::close().await;
    done
}
