//! The `lmo` binary over the stand-in, from its start until it has a key to call it with.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{GATEWAY_CORE, PATIENCE, Running, lines, on_core, silent};

/// The model that answers, as the gateway calls it.
pub const SMALL: &str = "standin/small";
/// The model whose provider always fails, as the gateway calls it.
pub const DOWN: &str = "standin/down";
/// What that one is called at its provider.
pub const DOWN_UPSTREAM: &str = "small [[fail=500]]";

/// LMO in a process of its own, with an empty data directory that goes when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Running,
    base_url: String,
    key: String,
    started_in: Duration,
    _directory: TempDir,
}

impl Gateway {
    /// Starts the `lmo` binary over the stand-in at `standin` and waits until it is healthy and has printed a key.
    ///
    /// # Errors
    /// It does not start, ends, or is not ready within a minute; the message has the end of what it wrote to stderr.
    pub fn start(lmo: &Path, standin: &str) -> io::Result<Self> {
        let directory = TempDir::new()?;
        let models = directory.path().join("models.toml");
        fs::write(&models, catalogue(standin))?;
        let log = directory.path().join("stderr");
        let addr = free_port()?;
        let started = Instant::now();
        let mut child = Running(
            on_core(GATEWAY_CORE, lmo)
                .args(["--port", &addr.port().to_string()])
                .arg("--data-dir")
                .arg(directory.path().join("data"))
                .arg("--models")
                .arg(&models)
                .stdout(Stdio::piped())
                .stderr(File::create(&log)?)
                .spawn()?,
        );
        let output = lines(child.0.stdout.take());
        let started_in = healthy(&mut child.0, addr, started).map_err(|error| explained(&error, &log))?;
        let key = first_key(&output).map_err(|error| explained(&error, &log))?;
        Ok(Self { child, base_url: format!("http://{addr}"), key, started_in, _directory: directory })
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The demo tenant's API key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// From the start of the process to the first healthy answer.
    #[must_use]
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }
}

fn first_key(output: &Receiver<String>) -> io::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = output.recv_timeout(left).map_err(|_| silent("the gateway"))?;
        if let Some(key) = key_in(&line) {
            return Ok(key.to_owned());
        }
    }
}

/// An API key is longer than 40 characters, unlike a name that starts alike.
fn key_in(line: &str) -> Option<&str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .find(|token| token.starts_with("lmo_") && token.len() > 40)
}

fn healthy(child: &mut Child, addr: SocketAddr, started: Instant) -> io::Result<Duration> {
    while started.elapsed() < PATIENCE {
        if get(addr, "/healthz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            return Ok(started.elapsed());
        }
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("the gateway ended: {status}")));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(silent("the gateway"))
}

fn get(addr: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The circuit breaker never opens: a failing call is to be measured, not one that is spared.
fn catalogue(standin: &str) -> String {
    let provider = format!(
        r#"[providers.standin]
kind = "openai"
base_url = "{standin}"
breaker = {{ failures = 1000000000 }}
"#
    );
    let model = |name, upstream| {
        format!(
            r#"
[models."{name}"]
provider = "standin"
upstream = "{upstream}"
context_window = 128000
max_output_tokens = 4096
capabilities = ["chat", "stream", "tools"]
price = {{ input = 0.15, cached_input = 0.075, output = 0.60 }}
"#
        )
    };
    [provider, model(SMALL, "small"), model(DOWN, DOWN_UPSTREAM)].concat()
}

fn explained(error: &io::Error, log: &Path) -> io::Error {
    let log = fs::read_to_string(log).unwrap_or_default();
    let last: Vec<&str> = log.lines().rev().take(10).collect();
    io::Error::new(error.kind(), format!("{error}\n{}", last.into_iter().rev().collect::<Vec<_>>().join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_a_curl_line() {
        let key = format!("lmo_01J_{}", "x".repeat(50));
        let line = format!("  curl -H \"Authorization: Bearer {key}\" http://127.0.0.1:8080/v1/chat/completions");
        assert_eq!(key_in(&line), Some(key.as_str()));
    }

    #[test]
    fn a_file_name_is_no_key() {
        assert_eq!(key_in("data in ./lmo_data"), None);
    }
}
