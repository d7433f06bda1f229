//! The on-failure destination: a file with one JSON line per record that was given up.
//!
//! The members follow what Lambda sends to an on-failure destination of a stream, with the record itself added,
//! because this stream does not keep it.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use aws_sdk_kinesis::types::Record;
use serde_json::json;

use super::event::Source;

/// The file of failed events.
#[derive(Debug)]
pub(super) struct Failures {
    path: PathBuf,
    writing: Mutex<()>,
}

impl Failures {
    /// Appends to `path`, which is created at the first failure.
    pub fn new(path: PathBuf) -> Self {
        Self { path, writing: Mutex::new(()) }
    }

    /// Writes down that `record` was tried `tries` times and why it failed the last time.
    pub fn append(&self, source: &Source, record: &Record, tries: u32, why: &str) -> io::Result<()> {
        let line = json!({
            "requestContext": {
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": tries,
            },
            "reason": why,
            "KinesisBatchInfo": {
                "shardId": source.shard,
                "startSequenceNumber": record.sequence_number,
                "endSequenceNumber": record.sequence_number,
                "batchSize": 1,
                "streamArn": source.arn,
            },
            "record": source.record(record),
        });
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(format!("{line}\n").as_bytes())
    }
}
