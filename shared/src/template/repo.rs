//! Templates as items. The newest version is an item under the template's name; each version is one of its own, put in
//! the same transaction and never changed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Template, TemplateName};
use crate::{
    audit::{Actor, Deed, Edit, IfMatch, Versioned, record},
    clock::Timestamp,
    error::{Error, Result},
    id::TenantId,
    store::{Change, Committed, Order, Table, keys, number},
};

/// How often a deletion is tried again that no version was demanded of.
const TRIES: usize = 10;

/// A version of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// What it says.
    pub template: Template,
    /// The number of the version, from 1.
    pub version: u64,
    /// When the template's first version was put. One that takes the place of a deleted one never meets its versions.
    pub born: Timestamp,
    /// When this version was put.
    pub at: Timestamp,
}

impl Default for Stored {
    fn default() -> Self {
        Self { template: Template::default(), version: 0, born: Timestamp(0), at: Timestamp(0) }
    }
}

impl Versioned for Stored {
    const KIND: &'static str = "template";

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    /// Its versions are kept, so what it says is not said again.
    fn shown(&self) -> Value {
        json!({"version": self.version, "model": self.template.model, "variables": self.template.variables()})
    }
}

/// The templates of all tenants, each through its own tenant's handle.
#[derive(Debug, Clone)]
pub struct Templates {
    table: Table,
}

impl Templates {
    /// The templates in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// A version of a template; the latest if none is named. An older one takes a second read.
    ///
    /// # Errors
    /// `NotFound` if there is no such template or version.
    pub async fn get(&self, tenant: TenantId, name: &TemplateName, version: Option<u64>) -> Result<Stored> {
        let partition = self.table.tenant(tenant).main();
        let latest: Option<Stored> = partition.find(&keys::template(name.as_str())).await?;
        let latest = latest.ok_or_else(|| not_found(name))?;
        match version.filter(|version| *version != latest.version) {
            None => Ok(latest),
            Some(version) => {
                let found = partition.find(&keys::template_version(name.as_str(), latest.born, version)).await?;
                found.ok_or_else(|| Error::NotFound { kind: "template", id: format!("{name}?version={version}") })
            }
        }
    }

    /// A page of a tenant's templates by name, and behind which sort key to go on, if there are more.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn page(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: u16,
    ) -> Result<(Vec<(String, Stored)>, Option<String>)> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
            #[serde(flatten)]
            stored: Stored,
        }
        let main = self.table.tenant(tenant).main();
        let (rows, next) = main.page::<Row>(keys::TEMPLATE_PREFIX, after, limit, Order::Ascending).await?;
        let named = |row: Row| Some((row.sk.strip_prefix(keys::TEMPLATE_PREFIX)?.to_owned(), row.stored));
        Ok((rows.into_iter().filter_map(named).collect(), next))
    }

    /// Puts a new version in.
    ///
    /// # Errors
    /// `PreconditionFailed`, `Conflict`, `Unavailable`.
    pub async fn put(
        &self,
        tenant: TenantId,
        name: &TemplateName,
        version: IfMatch,
        template: &Template,
        actor: &Actor,
        at: Timestamp,
    ) -> Result<Stored> {
        let (table, sort) = (self.table.tenant(tenant), keys::template(name.as_str()));
        let edit = Edit { table: &table, sort: &sort, id: name.as_str(), version, action: "template.put", actor, at };
        let decide = |stored: &mut Stored, change: &mut Change| {
            let born = if stored.version == 0 { at } else { stored.born };
            *stored = Stored { template: template.clone(), version: stored.version, born, at };
            let kept = Stored { version: stored.version + 1, ..stored.clone() };
            let sort = keys::template_version(name.as_str(), born, kept.version);
            change.put_new(&table.main(), &sort, &kept).map(drop)
        };
        edit.apply_or_create(decide).await
    }

    /// Deletes a template with all its versions. If it fails half-way, the template is gone, and nobody can read what is
    /// left of its versions.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, `Conflict`, `Unavailable`.
    pub async fn delete(
        &self,
        tenant: TenantId,
        name: &TemplateName,
        version: IfMatch,
        actor: &Actor,
        at: Timestamp,
    ) -> Result<()> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
        }
        let (main, sort) = (self.table.tenant(tenant).main(), keys::template(name.as_str()));
        for _ in 0..TRIES {
            let found: Option<Stored> = main.find(&sort).await?;
            let found = found.ok_or_else(|| not_found(name))?;
            version.check(found.version)?;
            let mut change = Change::new(&self.table);
            let same = [(":version", number(found.version)), (":born", number(found.born.0))];
            change.delete_if(&main, &sort, "version = :version AND born = :born", &same)?;
            let (action, target) = ("template.delete", name.to_string());
            record(&mut change, tenant, actor, at, Deed { action, target, before: found.shown(), after: Value::Null })?;
            if change.commit().await? == Committed::Yes {
                let versions = keys::template_versions(name.as_str(), found.born);
                let mut rows = main.begins_with::<Row>(&versions).only(keys::SK);
                while let Some(page) = rows.page().await? {
                    main.delete_all(&page.into_iter().map(|row| row.sk).collect::<Vec<_>>()).await?;
                }
                return Ok(());
            }
        }
        Err(Error::Conflict("others are changing it at the same time; try again".to_owned()))
    }
}

fn not_found(name: &TemplateName) -> Error {
    Error::NotFound { kind: "template", id: name.to_string() }
}
