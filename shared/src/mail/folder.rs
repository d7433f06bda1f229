//! Mail into files, so that a laptop needs no mail service.

use std::path::PathBuf;

use super::{EmailAddress, Mail};
use crate::{clock::Clock, error::Result};

/// A folder that mails are written to, each into a file of its own, `<time>-<to>.eml`, that its owner alone can read.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    from: EmailAddress,
    clock: Clock,
}

impl Folder {
    /// Writes mails from `from` to the folder `path`, which is made when the first is written.
    #[must_use]
    pub fn new(path: PathBuf, from: EmailAddress, clock: Clock) -> Self {
        Self { path, from, clock }
    }

    /// Writes a mail, and logs where it is.
    ///
    /// # Errors
    /// As [`super::Mailer::send`].
    pub async fn send(&self, _mail: &Mail) -> Result<()> {
        todo!()
    }
}
