//! The versions of the catalogue in the table, and the one that holds now.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::Catalogue;
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, Result},
    store::{Partition, Table, keys},
};

/// How long a version list is used before it is read again: how late a new version may take effect.
const FRESH: Duration = Duration::from_secs(30);

/// How many versions are kept at hand.
const AT_HAND: i32 = 20;

/// The catalogue in its versions.
pub struct Catalogues {
    versions: Partition,
    clock: Clock,
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    read_at: Option<Timestamp>,
    /// Latest first.
    versions: Vec<Arc<Catalogue>>,
}

/// A version as an item: the catalogue as JSON text.
#[derive(Serialize, Deserialize)]
struct VersionItem {
    catalogue: String,
}

impl Catalogues {
    /// The catalogue in `table`.
    #[must_use]
    pub fn new(table: &Table, clock: Clock) -> Self {
        Self { versions: table.catalogue(), clock, cached: Mutex::default() }
    }

    /// The version that holds now.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached, `Internal` if no version was ever applied.
    pub async fn current(&self) -> Result<Arc<Catalogue>> {
        let now = self.clock.now();
        let mut cached = self.cached.lock().await;
        if cached.read_at.is_none_or(|at| now.since(at) > FRESH) {
            cached.versions = self.read().await?;
            cached.read_at = Some(now);
        }
        let current = cached.versions.iter().find(|version| version.effective <= now);
        current.cloned().ok_or_else(|| Error::internal("no model catalogue was applied"))
    }

    /// A version by its name, however old.
    ///
    /// # Errors
    /// `NotFound` if there is no such version.
    pub async fn version(&self, name: &str) -> Result<Arc<Catalogue>> {
        let mut cached = self.cached.lock().await;
        if let Some(version) = cached.versions.iter().find(|version| version.version == name) {
            return Ok(Arc::clone(version));
        }
        let item: Option<VersionItem> = self.versions.find(name).await?;
        let item = item.ok_or_else(|| Error::NotFound { kind: "catalogue version", id: name.to_owned() })?;
        let version = Arc::new(item.catalogue()?);
        cached.versions.push(Arc::clone(&version));
        cached.versions.sort_by_key(|version| std::cmp::Reverse(version.effective));
        Ok(version)
    }

    /// Puts a new version in, unless it says the same as the one that holds at its time. Returns its name.
    ///
    /// # Errors
    /// `Conflict` if there is another version of the very same time.
    pub async fn apply(&self, mut catalogue: Catalogue) -> Result<String> {
        let versions = self.read().await?;
        if let Some(before) = versions.iter().find(|version| version.effective <= catalogue.effective)
            && before.same_content(&catalogue)
        {
            return Ok(before.version.clone());
        }
        catalogue.version = keys::catalogue_version(catalogue.effective);
        let item = VersionItem { catalogue: serde_json::to_string(&catalogue).map_err(Error::internal)? };
        match self.versions.put_new(&catalogue.version, &item).await? {
            crate::store::Written::Yes => {
                self.cached.lock().await.read_at = None;
                Ok(catalogue.version)
            }
            crate::store::Written::Refused => {
                Err(Error::Conflict("another version takes effect at that time".to_owned()))
            }
        }
    }

    async fn read(&self) -> Result<Vec<Arc<Catalogue>>> {
        let page = self.versions.all::<VersionItem>().last(AT_HAND).page().await?.unwrap_or_default();
        page.iter().map(|item| item.catalogue().map(Arc::new)).collect()
    }
}

impl VersionItem {
    fn catalogue(&self) -> Result<Catalogue> {
        serde_json::from_str(&self.catalogue).map_err(Error::internal)
    }
}
