//! The engines that stand in for `DynamoDB`, Kinesis and Secrets Manager on a laptop, so that no domain code knows where it runs.
//!
//! The AWS SDK gets an HTTP client that is answered in this process: no socket, no port, no second implementation.

mod dynamo;
mod error;
mod kinesis;
mod pump;
mod secrets;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use bytes::Bytes;
use lmo_shared::clock::Clock;

use self::{dynamo::Dynamo, secrets::Secrets, wire::Transport};
pub use self::{error::EngineError, kinesis::Kinesis, pump::Pump, wire::Reply};

/// The three engines over one data directory.
#[derive(Debug)]
pub struct Engines {
    transport: Transport,
}

/// What the database has written since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writes {
    /// Write requests that succeeded.
    pub operations: u64,
    /// Commits that they took; fewer than the operations, because those that wait together share one.
    pub commits: u64,
}

impl Engines {
    /// Opens the engines on `data_dir`, which is created if it is missing, and restores streams and records.
    ///
    /// # Errors
    /// If the directory or a file in it cannot be used, or another process uses it.
    pub async fn open(data_dir: &Path) -> Result<Self, EngineError> {
        fs::create_dir_all(data_dir).map_err(|source| EngineError::DataDir { path: data_dir.to_owned(), source })?;
        let lock = lock(data_dir)?;
        let secrets = Secrets::open(&data_dir.join("secrets.json"), Clock::System)?;
        let kinesis = Kinesis::open(data_dir).await?;
        let dynamo = Dynamo::open(&data_dir.join("lmo.db"), lock)?;
        Ok(Self { transport: Transport { dynamo, kinesis, secrets } })
    }

    /// The HTTP client to give to the SDK; any endpoint URL and any credentials will do.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.transport.clone())
    }

    /// Answers one request of AWS's JSON protocols; `target` is its `x-amz-target`, as in `DynamoDB_20120810.GetItem`.
    pub async fn answer(&self, target: &str, content_type: &str, body: Bytes) -> Reply {
        self.transport.answer(target, content_type, body).await
    }

    /// The stream engine, for the pump to acknowledge what it has delivered.
    #[must_use]
    pub fn kinesis(&self) -> Kinesis {
        self.transport.kinesis.clone()
    }

    /// Counters for a benchmark: the difference of two readings over the time between them is the rate.
    #[must_use]
    pub fn writes(&self) -> Writes {
        self.transport.dynamo.writes()
    }

    /// Answers what waits, closes the files and gives the data directory free; later requests fail.
    pub async fn shutdown(&self) {
        self.transport.kinesis.close();
        self.transport.dynamo.close().await;
    }
}

fn lock(data_dir: &Path) -> Result<File, EngineError> {
    let path = data_dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| EngineError::DataDir { path: data_dir.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EngineError::Locked { path: data_dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(EngineError::file(path)(source)),
    }
}
