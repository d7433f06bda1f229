//! Measures what requests take with the functions' own binaries, and writes it down for `cargo xtask cost`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use clap::Parser;
use lmo_bench::cost::{Programs, Run, machine, measure, toml};

/// Measure what requests take.
#[derive(Parser)]
struct Arguments {
    /// The `lmo` binary.
    #[arg(long, default_value = "target/release/lmo")]
    lmo: PathBuf,
    /// The folder of the functions' binaries.
    #[arg(long, default_value = "target/release")]
    functions: PathBuf,
    /// Requests of each kind.
    #[arg(long, default_value_t = 500)]
    requests: u32,
    /// What the binaries were built with, for the record.
    #[arg(long, default_value = "release build")]
    build: String,
    /// Where it is written.
    #[arg(long, default_value = "docs/measured.toml")]
    output: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { lmo, functions, requests, build, output } = Arguments::parse();
    let run = Run {
        date: said(Command::new("date").args(["-u", "+%F"]))?,
        commit: said(Command::new("git").args(["rev-parse", "--short", "HEAD"]))?,
        machine: machine(),
        build,
        requests,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = runtime.block_on(measure(&Programs { lmo, functions }, run))?;
    let measured = serde_json::to_value(measured)?;
    let tables = measured.as_object().ok_or("what is measured is a table")?;
    let head = "# What one request takes. Written by lmo-bench's program `cost`, not by hand; the fields are explained in\n\
                # xtask/src/cost/measured.rs.\n\n";
    fs::write(output, format!("{head}{}", toml(tables)))?;
    Ok(())
}

fn said(command: &mut Command) -> Result<String, Box<dyn Error>> {
    Ok(String::from_utf8(command.output()?.stdout)?.trim().to_owned())
}
