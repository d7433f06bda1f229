//! The embedded engines in a process of their own, as the AWS endpoint of functions.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::{PATIENCE, Running, lines, silent};
use crate::lambda::Launch;

/// `lmo engines` with an empty data directory that goes when it is dropped.
#[derive(Debug)]
pub struct EnginesProcess {
    _child: Running,
    addr: SocketAddr,
    table: String,
    stream: String,
    key: String,
    _directory: TempDir,
}

impl EnginesProcess {
    /// Starts the `lmo` binary with this model catalogue and waits until it has printed what functions need.
    ///
    /// # Errors
    /// It does not start, ends, or prints something else.
    pub fn start(lmo: &Path, catalogue: &str) -> io::Result<Self> {
        let directory = TempDir::new()?;
        let models = directory.path().join("models.toml");
        fs::write(&models, catalogue)?;
        let mut command = Command::new(lmo);
        command.arg("--data-dir").arg(directory.path().join("data")).args(["engines", "--port", "0", "--models"]);
        let mut child = Running(command.arg(&models).stdout(Stdio::piped()).spawn()?);
        let output = lines(child.0.stdout.take());
        let deadline = Instant::now() + PATIENCE;
        let mut variable = |name: &str| {
            let prefix = format!("export {name}=");
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                let line = output.recv_timeout(left).map_err(|_| silent("the engines"))?;
                if let Some(value) = line.strip_prefix(&prefix) {
                    return Ok::<_, io::Error>(value.to_owned());
                }
            }
        };
        // In the order in which they are printed.
        let endpoint = variable("AWS_ENDPOINT_URL")?;
        let addr = endpoint.trim_start_matches("http://").parse().map_err(io::Error::other)?;
        let (table, stream, key) = (variable("LMO_TABLE")?, variable("LMO_STREAM")?, variable("KEY")?);
        Ok(Self { _child: child, addr, table, stream, key, _directory: directory })
    }

    /// A function on these engines, whose calls are counted under the name `caller`.
    #[must_use]
    pub fn launch(&self, binary: &Path, caller: &str) -> Launch {
        Launch::new(binary)
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.addr))
            .env("AWS_ACCESS_KEY_ID", caller)
            .env("LMO_TABLE", &self.table)
            .env("LMO_STREAM", &self.stream)
    }

    /// The demo tenant's API key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The name of the table.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The name of the stream.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// All calls so far, by caller, service and operation.
    ///
    /// # Errors
    /// The engines don't answer, or not with JSON.
    pub fn calls(&self) -> io::Result<Value> {
        self.exchange("GET /_calls HTTP/1.1", "", "")
    }

    /// One operation of an AWS service, as in `DynamoDB_20120810.Scan`.
    ///
    /// # Errors
    /// The engines don't answer, or refuse it.
    pub fn operation(&self, target: &str, body: &Value) -> io::Result<Value> {
        let headers = format!("x-amz-target: {target}\r\ncontent-type: application/x-amz-json-1.1\r\n");
        self.exchange("POST / HTTP/1.1", &headers, &body.to_string())
    }

    fn exchange(&self, line: &str, headers: &str, body: &str) -> io::Result<Value> {
        let mut stream = TcpStream::connect(self.addr)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (host, length) = (self.addr, body.len());
        write!(
            stream,
            "{line}\r\nhost: {host}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        if !head.starts_with("HTTP/1.1 200") {
            return Err(io::Error::other(format!("{line}: {answer}")));
        }
        serde_json::from_str(body).map_err(io::Error::other)
    }
}
