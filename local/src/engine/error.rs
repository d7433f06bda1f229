//! Why an engine does not start: each variant is one line that an operator can act on.

use std::{io, path::PathBuf};

/// A reason for the embedded engines not to start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The data directory is missing and cannot be made, or is no directory.
    #[error("the data directory {} cannot be used: {source}", path.display())]
    DataDir {
        /// The directory that was asked for.
        path: PathBuf,
        /// What the file system answered.
        source: io::Error,
    },
    /// Another process works on the same data directory.
    #[error("the data directory {} is in use by another instance of lmo; stop it or choose another --data-dir", path.display())]
    Locked {
        /// The directory that was asked for.
        path: PathBuf,
    },
    /// A file in the data directory cannot be read or written.
    #[error("the file {} cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the file system answered.
        source: io::Error,
    },
    /// The database file is there but is not a database that this version can open.
    #[error("the database {} cannot be opened: {reason}; restore it from a copy or move it away to start afresh", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What the storage engine answered.
        reason: String,
    },
    /// The secrets file is there but is not what this version writes.
    #[error("the secrets file {} is not readable as JSON: {reason}", path.display())]
    Secrets {
        /// The secrets file.
        path: PathBuf,
        /// Where and why parsing stopped.
        reason: String,
    },
    /// A remembered stream or record was refused by the stream engine.
    #[error("the stream engine refused to repeat {what}: {reason}; move streams.log away to start without it")]
    Stream {
        /// The operation that was replayed.
        what: String,
        /// The engine's answer.
        reason: String,
    },
    /// The operating system gave no thread to the database.
    #[error("no thread could be started for the database: {0}")]
    Thread(io::Error),
}

impl EngineError {
    /// For `map_err`: an I/O error at `path`.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
