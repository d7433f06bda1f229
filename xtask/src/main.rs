//! `cargo xtask`: what developers and CI run.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to the person who started it")]

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::{Parser, Subcommand};

use command::run;

mod clients;
mod command;
mod contract;
mod cost;
mod infra;
mod package;
mod passwords;
mod python;

#[derive(Parser)]
#[command(name = "xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every test: the Rust workspace, and the official clients against the built programs.
    Test,
    /// Run the tests with the official clients alone.
    Clients,
    /// Package `aggregate` and let a mapping of a stream invoke it, on ministack.
    Ministack,
    /// Check format, lints, licences and advisories.
    Check,
    /// Check the infrastructure without an account: Terraform, checkov, AWS SAM.
    Infra,
    /// Build the functions for AWS Lambda, a zip each, and print their sizes.
    Package {
        /// For Graviton; needs `rustup target add aarch64-unknown-linux-gnu`.
        #[arg(long)]
        arm64: bool,
        /// The functions, by name; all if none is named.
        functions: Vec<String>,
    },
    /// Compare the functions with the infrastructure: variables, routes, and actions of AWS.
    Contract,
    /// Measure an optimised build next to the provider's stand-in and print the tables of BENCHMARKS.md.
    Bench {
        /// Fewer and shorter rounds.
        #[arg(long)]
        quick: bool,
    },
    /// Make the list of passwords that nobody may choose from a list of breached ones.
    Passwords {
        /// One password a line.
        list: PathBuf,
    },
    /// Write the tables of docs/cost.md, or compute a bill of your own.
    Cost(Box<cost::CostArgs>),
}

fn main() -> ExitCode {
    let root = root();
    let done = match Args::parse().task {
        Task::Test => test(&root),
        Task::Clients => clients(&root),
        Task::Ministack => ministack(&root),
        Task::Check => check(&root),
        Task::Infra => infra::check(&root),
        Task::Package { arm64, functions } => package::package(&root, arm64, &functions),
        Task::Contract => infra::contract(&root),
        Task::Bench { quick } => bench(&root, quick),
        Task::Passwords { list } => passwords::write(&root, &list),
        Task::Cost(args) => cost::run(&root, &args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn test(root: &Path) -> Result<(), String> {
    clients::prerequisites()?;
    run(cargo(root, &["test", "--workspace"]))?;
    clients(root)
}

fn clients(root: &Path) -> Result<(), String> {
    clients::prerequisites()?;
    run(cargo(root, &["build", "--workspace", "--bins"]))?;
    clients::test(root, &target(root).join("debug"))
}

fn ministack(root: &Path) -> Result<(), String> {
    run(cargo(root, &["build", "--workspace", "--bins"]))?;
    package::package(root, false, &["aggregate".to_owned()])?;
    clients::ministack(root, &target(root).join("debug"))
}

fn check(root: &Path) -> Result<(), String> {
    run(cargo(root, &["fmt", "--all", "--check"]))?;
    run(cargo(root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    run(cargo(root, &["deny", "check", "licenses", "bans", "sources"]))?;
    cost::check(root)
}

fn bench(root: &Path, quick: bool) -> Result<(), String> {
    // One selection for both, or Cargo builds the dependencies twice.
    run(cargo(root, &["build", "--profile", "laptop", "--workspace", "--bins", "--benches"]))?;
    let built = target(root).join("laptop");
    let mut load = Command::new(built.join("lmo-bench"));
    load.current_dir(root).arg("--lmo").arg(built.join("lmo"));
    if quick {
        load.arg("--quick");
    }
    run(&mut load)?;
    let mut benches = vec!["bench", "--profile", "laptop", "--workspace"];
    benches.extend(
        ["translate", "aggregate", "authenticate", "accounts", "rating"]
            .into_iter()
            .flat_map(|bench| ["--bench", bench]),
    );
    if quick {
        benches.extend(["--", "--quick"]);
    }
    run(cargo(root, &benches))
}

fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).args(arguments);
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where this program itself was built: `<target>/<profile>/xtask`.
fn target(root: &Path) -> PathBuf {
    let own = std::env::current_exe().ok();
    let found = own.as_deref().and_then(Path::parent).and_then(Path::parent);
    found.map_or_else(|| root.join("target"), Path::to_path_buf)
}
