//! The items of tenants, configurations and keys.

use std::collections::HashMap;

use serde::de::DeserializeOwned;

use super::{ApiKey, Configuration, KeyScope, Listed, OwnProvider, OwnProviders, Tenant, TenantConfig};
use crate::{
    audit::{Actor, Deed, Edit, IfMatch, Versioned, record},
    auth::NewKey,
    clock::{Period, Timestamp},
    error::{Error, Result},
    id::TenantId,
    store::{Change, Item, Order, Table, TenantTable, keys, parse},
};

mod keys_of;

pub use keys_of::MOST_KEYS;

/// Tenants in the table.
#[derive(Debug, Clone)]
pub struct Tenants {
    pub(super) table: Table,
}

impl Tenants {
    /// The tenants in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// Everything of one tenant.
    #[must_use]
    pub fn of(&self, id: TenantId) -> TenantTable {
        self.table.tenant(id)
    }

    /// A change of tenants' state, to be committed.
    pub fn change(&self) -> Change {
        Change::new(&self.table)
    }

    /// Adds a new tenant to a change.
    ///
    /// # Errors
    /// `Internal` if it can't be written as an item.
    pub fn create(&self, change: &mut Change, tenant: &Tenant, actor: &Actor) -> Result<()> {
        change.put_new(&self.of(tenant.id).main(), keys::TENANT, tenant)?;
        change.put_new(&self.table.tenants(), &keys::listed(tenant.id), &Listed::from(tenant))?;
        let deed =
            Deed { action: "tenant.create", target: tenant.id.to_string(), after: tenant.shown(), ..Deed::default() };
        record(change, tenant.id, actor, tenant.created_at, deed)
    }

    /// Creates a tenant with a first key that may do everything.
    ///
    /// # Errors
    /// `Conflict` if there is a tenant of that id; `Unavailable`.
    pub async fn open(&self, tenant: &Tenant, actor: &Actor) -> Result<NewKey> {
        self.open_with(self.change(), tenant, actor).await
    }

    /// The same as a part of a change.
    ///
    /// # Errors
    /// As [`Tenants::open`].
    pub async fn open_with(&self, mut change: Change, tenant: &Tenant, actor: &Actor) -> Result<NewKey> {
        self.create(&mut change, tenant, actor)?;
        let new = NewKey::make(tenant.id, tenant.created_at);
        let key = ApiKey::of(&new, "first", KeyScope::all(), tenant.created_at);
        self.add_key(&mut change, tenant.id, &key, actor)?;
        change.commit().await?.or(|| Error::Conflict("a tenant of that id exists".to_owned()))?;
        Ok(new)
    }

    /// Changes a tenant, and what operators see of it in the list.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, `Conflict`, `Unavailable`, and what `decide` fails with.
    pub async fn edit(
        &self,
        id: TenantId,
        version: IfMatch,
        action: &'static str,
        actor: &Actor,
        at: Timestamp,
        mut decide: impl FnMut(&mut Tenant) -> Result<()>,
    ) -> Result<Tenant> {
        let (table, name) = (self.of(id), id.to_string());
        let edit = Edit { table: &table, sort: keys::TENANT, id: &name, version, action, actor, at };
        let decide = |tenant: &mut Tenant, change: &mut Change| {
            decide(tenant)?;
            self.list(change, tenant)
        };
        edit.apply(decide).await
    }

    /// Adds a tenant in its next version to a change, and what operators see of it in the list.
    ///
    /// # Errors
    /// `Internal` if it can't be written as an item.
    pub fn replace(&self, change: &mut Change, tenant: &mut Tenant) -> Result<()> {
        let of = tenant.version;
        tenant.version += 1;
        change.replace(&self.of(tenant.id).main(), keys::TENANT, tenant, of)?;
        self.list(change, tenant)
    }

    /// Adds to a change what operators see of a tenant in the list.
    pub(super) fn list(&self, change: &mut Change, tenant: &Tenant) -> Result<()> {
        change.put(&self.table.tenants(), &keys::listed(tenant.id), &Listed::from(tenant)).map(drop)
    }

    /// A page of all tenants, the oldest first, and behind which sort key to go on, if there are more.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn page(&self, after: Option<&str>, limit: u16) -> Result<(Vec<Listed>, Option<String>)> {
        self.table.tenants().page("", after, limit, Order::Ascending).await
    }

    /// A tenant, if there is one.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn find(&self, id: TenantId) -> Result<Option<Tenant>> {
        self.of(id).main().find(keys::TENANT).await
    }

    /// A tenant.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Unavailable`.
    pub async fn get(&self, id: TenantId) -> Result<Tenant> {
        self.find(id).await?.ok_or_else(|| Error::NotFound { kind: Tenant::KIND, id: id.to_string() })
    }

    /// The tenants that used anything in a month.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn active(&self, month: Period) -> Result<Vec<TenantId>> {
        #[derive(serde::Deserialize)]
        struct Row {
            sk: String,
        }
        let rows = self.table.active(month).all::<Row>().collect().await?;
        Ok(rows.iter().filter_map(|row| TenantId::parse(&row.sk)).collect())
    }

    /// A tenant, its configuration with the keys of providers that it has brought, and another item of it (a key, a
    /// member) in one read. `None` unless tenant and item are there.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn with<T: DeserializeOwned>(
        &self,
        id: TenantId,
        sort: &str,
    ) -> Result<Option<(Tenant, (TenantConfig, OwnProviders), T)>> {
        let sorts = [keys::TENANT, keys::CONFIG, keys::PROVIDERS, sort];
        let mut found: HashMap<String, Item> = self.of(id).main().find_all(&sorts).await?;
        let (Some(tenant), Some(item)) = (found.remove(keys::TENANT), found.remove(sort)) else {
            return Ok(None);
        };
        let configuration: Option<Configuration> = found.remove(keys::CONFIG).map(parse).transpose()?;
        let own: Option<OwnProviders> = found.remove(keys::PROVIDERS).map(parse).transpose()?;
        let settings = (configuration.unwrap_or_default().config, own.unwrap_or_default());
        Ok(Some((parse(tenant)?, settings, parse(item)?)))
    }

    /// A tenant's configuration.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn config(&self, id: TenantId) -> Result<Configuration> {
        self.of(id).main().find(keys::CONFIG).await.map(Option::unwrap_or_default)
    }

    /// Replaces a tenant's configuration.
    ///
    /// # Errors
    /// `PreconditionFailed`, `Conflict`, `Unavailable`.
    pub async fn put_config(
        &self,
        id: TenantId,
        version: IfMatch,
        config: &TenantConfig,
        actor: &Actor,
        at: Timestamp,
    ) -> Result<Configuration> {
        let (table, name) = (self.of(id), id.to_string());
        let action = "config.replace";
        let edit = Edit { table: &table, sort: keys::CONFIG, id: &name, version, action, actor, at };
        let decide = |configuration: &mut Configuration, _: &mut Change| {
            configuration.config.clone_from(config);
            Ok(())
        };
        edit.apply_or_create(decide).await
    }

    /// The keys of providers that a tenant has brought.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn own_providers(&self, id: TenantId) -> Result<OwnProviders> {
        self.of(id).main().find(keys::PROVIDERS).await.map(Option::unwrap_or_default)
    }

    /// Changes what a tenant has brought for the provider of a name; `decide` gets it as it is. Returns all of it.
    ///
    /// # Errors
    /// `PreconditionFailed`, `Conflict`, `Unavailable`, and what `decide` fails with.
    pub async fn edit_provider(
        &self,
        id: TenantId,
        name: &str,
        (version, action): (IfMatch, &'static str),
        (actor, at): (&Actor, Timestamp),
        mut decide: impl FnMut(Option<OwnProvider>) -> Result<Option<OwnProvider>>,
    ) -> Result<OwnProviders> {
        let table = self.of(id);
        let edit = Edit { table: &table, sort: keys::PROVIDERS, id: name, version: IfMatch::Any, action, actor, at };
        let decide = |own: &mut OwnProviders, _: &mut Change| {
            let before = own.providers.remove(name);
            version.check(before.as_ref().map_or(0, |before| before.version))?;
            if let Some(mut after) = decide(before)? {
                // A key that comes after one that was deleted is none of its versions.
                after.version = own.version + 1;
                own.providers.insert(name.to_owned(), after);
            }
            Ok(())
        };
        edit.apply_or_create(decide).await
    }
}
