//! The provider's stand-in as a program, for tests and comparisons that run it in a process of its own.
#![expect(clippy::print_stdout, reason = "its only output is the base URL")]

use std::io;

use clap::Parser;
use lmo_bench::standin::{Standin, StandinOptions};

/// The model providers' stand-in: their wire formats on a local port.
#[derive(Parser)]
struct Arguments {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Refuse requests without a key.
    #[arg(long)]
    require_key: bool,
}

fn main() -> io::Result<()> {
    let Arguments { port, require_key } = Arguments::parse();
    let standin = Standin::start(StandinOptions { port, require_key, remember: 0, ..StandinOptions::default() })?;
    println!("{}", standin.base_url());
    standin.join();
    Ok(())
}
