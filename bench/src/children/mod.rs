//! The processes of a comparison, each on its core: the stand-in, and the gateway between it and the load.

mod gateway;

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

pub use gateway::{DOWN, DOWN_UPSTREAM, Gateway, SMALL};

/// Where the gateway runs.
pub const GATEWAY_CORE: usize = 0;
/// Where the stand-in and the load generator run.
pub const LOAD_CORE: usize = 1;

/// How long a process may take until it is ready.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A process that is killed when dropped.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A stand-in in a process of its own.
#[derive(Debug)]
pub struct StandinProcess {
    _child: Running,
    base_url: String,
}

impl StandinProcess {
    /// Starts a program that prints its base URL as the first line and serves until it is killed.
    ///
    /// # Errors
    /// It does not start, or ends before that line.
    pub fn start(program: &Path, arguments: &[&str]) -> io::Result<Self> {
        let mut child = Running(on_core(LOAD_CORE, program).args(arguments).stdout(Stdio::piped()).spawn()?);
        let base_url = lines(child.0.stdout.take()).recv_timeout(PATIENCE).map_err(|_| silent("the stand-in"))?;
        Ok(Self { _child: child, base_url })
    }

    /// `http://127.0.0.1:<port>/v1`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }
}

/// Moves this process to the core of the load; does nothing where there is no `taskset` or no such core.
pub fn pin_self() {
    let _ = Command::new("taskset")
        .args(["-a", "-c", "-p", &LOAD_CORE.to_string(), &std::process::id().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// `taskset` replaces itself by the program, so the process id is the program's.
fn on_core(core: usize, program: &Path) -> Command {
    let core = core.to_string();
    let mut trial = Command::new("taskset");
    trial.args(["-c", &core, "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !trial.status().is_ok_and(|status| status.success()) {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core]).arg(program);
    command
}

/// Reads on after the last line that anyone wants, so that the process never blocks on a full pipe.
pub(crate) fn lines(output: Option<ChildStdout>) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
        lines.map_while(Result::ok).for_each(|line| drop(sender.send(line)));
    });
    receiver
}

pub(crate) fn silent(who: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{who} did not say that it is ready"))
}
