//! The items of tenants, configurations and keys.

use std::collections::HashMap;

use super::{ApiKey, Tenant, TenantConfig};
use crate::{
    clock::{Period, Timestamp},
    error::{Error, Result},
    id::{KeyId, TenantId},
    store::{Item, Table, Written, keys, number, parse},
};

/// Tenants in the table.
#[derive(Debug, Clone)]
pub struct Tenants {
    table: Table,
}

impl Tenants {
    /// The tenants in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// Puts a tenant in, or changes it.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn put(&self, tenant: &Tenant) -> Result<()> {
        self.table.tenant(tenant.id).main().put(keys::TENANT, tenant).await
    }

    /// A tenant.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn find(&self, id: TenantId) -> Result<Option<Tenant>> {
        self.table.tenant(id).main().find(keys::TENANT).await
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

    /// A tenant, its configuration and one of its keys in one read. `None` unless tenant and key are there.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn with_key(&self, id: TenantId, key: KeyId) -> Result<Option<(Tenant, TenantConfig, ApiKey)>> {
        let key = keys::key(key);
        let sorts = [keys::TENANT, keys::CONFIG, key.as_str()];
        let mut found: HashMap<String, Item> = self.table.tenant(id).main().find_all(&sorts).await?;
        let (Some(tenant), Some(key)) = (found.remove(keys::TENANT), found.remove(key.as_str())) else {
            return Ok(None);
        };
        let config = found.remove(keys::CONFIG).map(parse_config).transpose()?.unwrap_or_default();
        Ok(Some((parse(tenant)?, config, parse(key)?)))
    }

    /// A tenant's configuration.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn config(&self, id: TenantId) -> Result<TenantConfig> {
        let item: Option<Item> = self.table.tenant(id).main().find_all(&[keys::CONFIG]).await?.remove(keys::CONFIG);
        item.map(parse_config).transpose().map(Option::unwrap_or_default)
    }

    /// Replaces a tenant's configuration.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn put_config(&self, id: TenantId, config: &TenantConfig) -> Result<()> {
        self.table.tenant(id).main().put(keys::CONFIG, config).await
    }

    /// Puts a new key in.
    ///
    /// # Errors
    /// `Conflict` if there is one of that id.
    pub async fn add_key(&self, id: TenantId, key: &ApiKey) -> Result<()> {
        match self.table.tenant(id).main().put_new(&keys::key(key.id), key).await? {
            Written::Yes => Ok(()),
            Written::Refused => Err(Error::Conflict("a key of that id exists".to_owned())),
        }
    }

    /// All keys of a tenant, oldest first, revoked ones too.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn keys(&self, id: TenantId) -> Result<Vec<ApiKey>> {
        self.table.tenant(id).main().begins_with(keys::KEY_PREFIX).collect().await
    }

    /// Revokes a key. Revoking it again changes nothing.
    ///
    /// # Errors
    /// `NotFound` if the tenant has no such key.
    pub async fn revoke_key(&self, id: TenantId, key: KeyId, at: Timestamp) -> Result<()> {
        let update = self.table.tenant(id).main().update(&keys::key(key));
        let update = update
            .update_expression("SET revoked_at = if_not_exists(revoked_at, :at)")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":at", number(at.0));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if crate::store::is_condition_failure(&error) => {
                Err(Error::NotFound { kind: "key", id: key.to_string() })
            }
            Err(error) => Err(crate::store::failure(error)),
        }
    }
}

/// The configuration refuses fields that it doesn't know, so the table's own are taken out first.
fn parse_config(mut item: Item) -> Result<TenantConfig> {
    item.remove(keys::PK);
    item.remove(keys::SK);
    parse(item)
}
