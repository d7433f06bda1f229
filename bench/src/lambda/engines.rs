//! `lmo engines` in a process of its own: the `DynamoDB`, Kinesis and Secrets Manager of functions under test.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::function::Launch;
use crate::children::{PATIENCE, Running, lines, silent};

/// The last line that it prints.
const LAST: &str = "KEY";

/// Running engines over an empty data directory, which goes when this is dropped.
#[derive(Debug)]
pub struct Engines {
    child: Running,
    exported: HashMap<String, String>,
    directory: TempDir,
}

impl Engines {
    /// Starts the `lmo` binary's engines with this model catalogue and waits until they serve.
    ///
    /// # Errors
    /// They don't start, or not within a minute; the message has what they wrote to standard error.
    pub fn start(lmo: &Path, models: &str) -> io::Result<Self> {
        let directory = TempDir::new()?;
        fs::write(directory.path().join("models.toml"), models)?;
        let log = directory.path().join("stderr");
        let mut command = Command::new(lmo);
        command.env_clear().args(["engines", "--port", "0", "--data-dir"]).arg(directory.path().join("data"));
        command.arg("--models").arg(directory.path().join("models.toml"));
        let mut child = Running(command.stdout(Stdio::piped()).stderr(File::create(&log)?).spawn()?);
        let output = lines(child.0.stdout.take());
        let mut exported = HashMap::new();
        while !exported.contains_key(LAST) {
            let line = output.recv_timeout(PATIENCE);
            let line = line.map_err(|_| {
                io::Error::other(format!("{}\n{}", silent("lmo engines"), fs::read_to_string(&log).unwrap_or_default()))
            })?;
            if let Some((name, value)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
                exported.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(Self { child, exported, directory })
    }

    /// Their address, as in `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.exported["AWS_ENDPOINT_URL"]
    }

    /// The demo tenant's API key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.exported[LAST]
    }

    /// What a client has to have in its environment.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.exported.iter().filter(|(name, _)| *name != LAST).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A binary that is to run on these engines, under an access key by which they tell callers apart.
    #[must_use]
    pub fn launch(&self, binary: PathBuf, caller: &str) -> Launch {
        let launch = self.environment().fold(Launch::new(binary), |launch, (name, value)| launch.env(name, value));
        launch.env("AWS_ACCESS_KEY_ID", caller)
    }

    /// The folder that their state is in.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Ends them with SIGTERM and gives the folder of their data back.
    ///
    /// # Errors
    /// They don't end well within a minute.
    pub fn stop(mut self) -> io::Result<TempDir> {
        Command::new("kill").arg(self.child.0.id().to_string()).status()?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.child.0.try_wait()? {
                Some(status) if status.success() => return Ok(self.directory),
                Some(status) => return Err(io::Error::other(format!("lmo engines: {status}"))),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        Err(silent("the end of lmo engines"))
    }
}
