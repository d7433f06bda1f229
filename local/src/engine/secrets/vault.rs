//! The secrets file: JSON that is replaced as a whole, so a crash leaves the old one or the new one.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::engine::EngineError;

/// The stage of the version that a reader gets who names none.
pub(super) const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// All secrets and the file that they are kept in.
#[derive(Debug)]
pub(super) struct Vault {
    path: PathBuf,
    secrets: BTreeMap<String, Secret>,
}

/// How many versions a secret keeps at least, with or without a stage, and for how long at least, in seconds (Secrets
/// Manager user guide, versions).
const KEPT: usize = 100;
const KEPT_FOR: f64 = 86_400.0;

/// A secret and its versions, the oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Secret {
    pub name: String,
    pub arn: String,
    pub created: f64,
    pub changed: f64,
    /// When it will be gone for good, if somebody deleted it.
    pub deleted: Option<f64>,
    pub versions: Vec<Version>,
}

/// One value that a secret had or has.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub id: String,
    pub created: f64,
    pub stages: Vec<String>,
    pub string: Option<String>,
    /// Base64, as it came.
    pub binary: Option<String>,
}

impl Vault {
    /// Reads `path` and narrows its mode to 0600; drops what was due to be deleted by `now`.
    pub fn open(path: &Path, now: f64) -> Result<Self, EngineError> {
        let mut secrets = BTreeMap::new();
        match fs::read(path) {
            Ok(text) => {
                narrow(path).map_err(EngineError::file(path))?;
                secrets = serde_json::from_slice(&text)
                    .map_err(|error| EngineError::Secrets { path: path.to_owned(), reason: error.to_string() })?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(EngineError::file(path)(error)),
        }
        secrets.retain(|_, secret: &mut Secret| secret.deleted.is_none_or(|at| at > now));
        Ok(Self { path: path.to_owned(), secrets })
    }

    /// The secret with this name or ARN.
    pub fn find(&self, id: &str) -> Option<&Secret> {
        self.secrets.get(id).or_else(|| self.secrets().find(|secret| secret.arn == id))
    }

    /// All secrets by name.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.values()
    }

    /// Writes the file with `secret` under `name`, or without it; on an error nothing has changed.
    pub fn replace(&mut self, name: &str, secret: Option<Secret>) -> io::Result<()> {
        let mut next = self.secrets.clone();
        match secret {
            Some(secret) => next.insert(name.to_owned(), secret),
            None => next.remove(name),
        };
        write_whole(&self.path, &serde_json::to_vec_pretty(&next)?)?;
        self.secrets = next;
        Ok(())
    }
}

impl Secret {
    /// A secret without a version.
    pub fn new(name: &str, now: f64) -> Self {
        Self {
            name: name.to_owned(),
            arn: format!("arn:aws:secretsmanager:us-east-1:000000000000:secret:{name}"),
            created: now,
            changed: now,
            deleted: None,
            versions: Vec::new(),
        }
    }

    /// Adds `version` under `stages`, which move to it.
    pub fn add(&mut self, version: Version, stages: &[String], now: f64) {
        let id = version.id.clone();
        self.versions.push(version);
        for stage in stages {
            self.stage(stage, Some(&id), now);
        }
        let mut most = self.versions.len().saturating_sub(KEPT);
        self.versions.retain(|known| {
            let goes = most > 0 && known.stages.is_empty() && known.created < now - KEPT_FOR;
            most -= usize::from(goes);
            !goes
        });
    }

    /// Puts a stage on a version, and takes it off any other; the version that was current becomes the previous one.
    pub fn stage(&mut self, stage: &str, to: Option<&str>, now: f64) {
        let mut was_current = None;
        for version in &mut self.versions {
            if let Some(at) = version.stages.iter().position(|known| known == stage) {
                version.stages.remove(at);
                was_current = (stage == CURRENT && Some(version.id.as_str()) != to).then(|| version.id.clone());
            }
            if Some(version.id.as_str()) == to {
                version.stages.push(stage.to_owned());
            }
        }
        if let Some(id) = was_current {
            self.stage(PREVIOUS, Some(&id), now);
        }
        self.changed = now;
    }
}

impl Version {
    /// Whether a repeated request made it: the same id and the same value.
    pub fn same_as(&self, other: &Self) -> bool {
        self.id == other.id && self.string == other.string && self.binary == other.binary
    }
}

impl std::fmt::Debug for Version {
    /// Without the value, which must never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Version").field("id", &self.id).field("stages", &self.stages).finish_non_exhaustive()
    }
}

fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("json.tmp");
    // A draft that a crash left behind may have any mode.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private().open(&draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn narrow(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn narrow(_: &Path) -> io::Result<()> {
    Ok(())
}
