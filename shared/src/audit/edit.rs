//! The way in which an item of a tenant is changed: read, decided, and written with its audit entry if nobody was
//! quicker.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Actor, Deed, record};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    store::{Change, Committed, TenantTable},
};

/// How often an edit is tried again that no version was demanded of.
const TRIES: usize = 10;

/// An item in a tenant's main partition that counts its versions, beginning with 1.
pub trait Versioned: Serialize + DeserializeOwned + Send {
    /// What it is called in errors and, with a verb behind it, in the audit log.
    const KIND: &'static str;

    /// The number of its version; 0 if it is older than the counting.
    fn version(&mut self) -> &mut u64;

    /// What the audit log shows of it, which must be no secret.
    fn shown(&self) -> Value;
}

/// Which version a change is meant for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IfMatch {
    /// Whichever there is.
    #[default]
    Any,
    /// This one.
    Version(u64),
}

impl IfMatch {
    /// Fails unless the version is one that it is meant for.
    ///
    /// # Errors
    /// `PreconditionFailed`.
    pub fn check(self, version: u64) -> Result<()> {
        match self {
            Self::Version(wanted) if wanted != version => Err(Error::PreconditionFailed),
            Self::Any | Self::Version(_) => Ok(()),
        }
    }
}

/// A change of one item.
#[derive(Debug, Clone, Copy)]
pub struct Edit<'a> {
    /// Whose item it is.
    pub table: &'a TenantTable,
    /// Its sort key in the tenant's main partition.
    pub sort: &'a str,
    /// What it is called in an error if it isn't there.
    pub id: &'a str,
    /// Which version is meant.
    pub version: IfMatch,
    /// What is done, as in `key.rotate`.
    pub action: &'static str,
    /// By whom.
    pub actor: &'a Actor,
    /// When.
    pub at: Timestamp,
}

impl Edit<'_> {
    /// Changes the item: `decide` gets it as it is, changes it, and adds to the change what belongs to it. It may be
    /// called again with a newer version. Returns the item as it is now.
    ///
    /// # Errors
    /// `NotFound`; `PreconditionFailed`; whatever `decide` fails with; `Conflict` if others are quicker again and again;
    /// `Unavailable`.
    pub async fn apply<T: Versioned>(self, mut decide: impl FnMut(&mut T, &mut Change) -> Result<()>) -> Result<T> {
        self.write(None, &mut decide).await
    }

    /// The same with an item that may not be there yet, and is then `T::default()` with version 0.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), but for `NotFound`.
    pub async fn apply_or_create<T: Versioned + Default>(
        self,
        mut decide: impl FnMut(&mut T, &mut Change) -> Result<()>,
    ) -> Result<T> {
        self.write(Some(T::default), &mut decide).await
    }

    async fn write<T: Versioned>(
        self,
        absent: Option<fn() -> T>,
        decide: &mut impl FnMut(&mut T, &mut Change) -> Result<()>,
    ) -> Result<T> {
        for _ in 0..TRIES {
            let found = self.table.main().find(self.sort).await?.or_else(|| absent.map(|make| make()));
            let mut item = found.ok_or_else(|| Error::NotFound { kind: T::KIND, id: self.id.to_owned() })?;
            let old = *item.version();
            self.version.check(old)?;
            let before = if old == 0 { Value::Null } else { item.shown() };
            let mut change = Change::new(self.table.table());
            decide(&mut item, &mut change)?;
            *item.version() = old + 1;
            change.replace(&self.table.main(), self.sort, &item, old)?;
            let deed = Deed { action: self.action, target: self.id.to_owned(), before, after: item.shown() };
            record(&mut change, self.table.id(), self.actor, self.at, deed)?;
            match change.commit().await? {
                Committed::Yes => return Ok(item),
                Committed::Refused(_) => {}
            }
        }
        Err(Error::Conflict("others are changing it at the same time; try again".to_owned()))
    }
}
