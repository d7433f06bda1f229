//! The keys of a tenant.

use aws_sdk_dynamodb::types::Update;

use super::Tenants;
use crate::{
    audit::{Actor, Deed, Edit, IfMatch, Versioned, record},
    clock::Timestamp,
    error::{Error, Result},
    id::{KeyId, TenantId},
    store::{Change, Order, failure, is_condition_failure, keys, number},
    tenant::ApiKey,
    webhook::{Event, announce},
};

/// The most keys of a tenant that are not revoked: each is a row, for each model that it asks, in the totals of each
/// period, and an item has room for about 1,400 of those.
pub const MOST_KEYS: u32 = 1_000;

impl Tenants {
    /// Adds a new key to a change, which is refused if the tenant has too many: see [`Tenants::too_many_keys`].
    ///
    /// # Errors
    /// `Internal` if it can't be written as an item.
    pub fn add_key(&self, change: &mut Change, id: TenantId, key: &ApiKey, actor: &Actor) -> Result<()> {
        change.put_new(&self.of(id).main(), &keys::key(key.id), key)?;
        change.update(self.counting(id, 1)?);
        announce(change, id, key.created_at, &Event::KeyCreated(key))?;
        let deed = Deed { action: "key.create", target: key.id.to_string(), after: key.shown(), ..Deed::default() };
        record(change, id, actor, key.created_at, deed)
    }

    /// Why a change with a new key was refused.
    #[must_use]
    pub fn too_many_keys() -> Error {
        Error::Conflict(format!("a tenant has at most {MOST_KEYS} keys that are not revoked; revoke one"))
    }

    /// A page of a tenant's keys, oldest first, revoked ones too, and behind which sort key to go on, if there are more.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn keys(&self, id: TenantId, after: Option<&str>, limit: u16) -> Result<(Vec<ApiKey>, Option<String>)> {
        self.of(id).main().page(keys::KEY_PREFIX, after, limit, Order::Ascending).await
    }

    /// A key, if the tenant has it.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn find_key(&self, id: TenantId, key: KeyId) -> Result<Option<ApiKey>> {
        self.of(id).main().find(&keys::key(key)).await
    }

    /// A key.
    ///
    /// # Errors
    /// `NotFound` if the tenant has no such key; `Unavailable`.
    pub async fn key(&self, id: TenantId, key: KeyId) -> Result<ApiKey> {
        let found = self.find_key(id, key).await?;
        found.ok_or_else(|| Error::NotFound { kind: ApiKey::KIND, id: key.to_string() })
    }

    /// Changes a key that is not revoked.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, `Conflict`, `Unavailable`, and what `decide` fails with.
    pub async fn change_key(
        &self,
        id: TenantId,
        key: KeyId,
        version: IfMatch,
        actor: &Actor,
        at: Timestamp,
        mut decide: impl FnMut(&mut ApiKey) -> Result<()>,
    ) -> Result<ApiKey> {
        let (table, sort, name) = (self.of(id), keys::key(key), key.to_string());
        let edit = Edit { table: &table, sort: &sort, id: &name, version, action: "key.change", actor, at };
        let decide = |key: &mut ApiKey, _: &mut Change| {
            key.check_usable()?;
            decide(key)
        };
        edit.apply(decide).await
    }

    /// Puts `key`, which got a new secret since it was read, in the place of what was read.
    ///
    /// # Errors
    /// `Internal` if it can't be written as an item.
    pub fn put_rotated(
        &self,
        change: &mut Change,
        id: TenantId,
        before: &ApiKey,
        key: &mut ApiKey,
        actor: &Actor,
        at: Timestamp,
    ) -> Result<()> {
        key.version = before.version + 1;
        change.replace(&self.of(id).main(), &keys::key(key.id), key, before.version)?;
        announce(change, id, at, &Event::KeyRotated(key))?;
        let deed =
            Deed { action: "key.rotate", target: key.id.to_string(), before: before.shown(), after: key.shown() };
        record(change, id, actor, at, deed)
    }

    /// Revokes a key, if `may` doesn't fail of it. Revoking it again changes nothing.
    ///
    /// # Errors
    /// `NotFound` if the tenant has no such key; `PreconditionFailed`, `Conflict`, `Unavailable`, and what `may` fails with.
    pub async fn revoke_key(
        &self,
        id: TenantId,
        key: KeyId,
        version: IfMatch,
        actor: &Actor,
        at: Timestamp,
        may: impl Fn(&ApiKey) -> Result<()>,
    ) -> Result<()> {
        let (table, sort, name) = (self.of(id), keys::key(key), key.to_string());
        let found = self.key(id, key).await?;
        may(&found)?;
        version.check(found.version)?;
        if found.revoked_at.is_some() {
            return Ok(());
        }
        let edit = Edit { table: &table, sort: &sort, id: &name, version, action: "key.revoke", actor, at };
        let decide = |key: &mut ApiKey, change: &mut Change| {
            key.check_usable()?;
            may(key)?;
            key.revoked_at = Some(at);
            change.update(self.counting(id, -1)?);
            announce(change, id, at, &Event::KeyRevoked(key)).map(drop)
        };
        match edit.apply(decide).await {
            // Somebody else did it meanwhile.
            Err(Error::Conflict(_)) if self.key(id, key).await?.revoked_at.is_some() => Ok(()),
            done => done.map(drop),
        }
    }

    /// Notes that a key was used, unless somebody has noted it within the hour.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn note_use(&self, id: TenantId, key: KeyId, at: Timestamp) -> Result<()> {
        let update = self.of(id).main().update(&keys::key(key)).update_expression("SET last_used_at = :at");
        let update = update.condition_expression(
            "attribute_exists(pk) AND (attribute_not_exists(last_used_at) OR last_used_at <= :before)",
        );
        let update = update.expression_attribute_values(":at", number(at.0));
        let before = number(at.before(ApiKey::NOTED_EVERY).0);
        match update.expression_attribute_values(":before", before).send().await {
            Err(error) if !is_condition_failure(&error) => Err(failure(error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Counts keys that are not revoked: refused if there would be too many.
    fn counting(&self, id: TenantId, by: i32) -> Result<Update> {
        let update = self.of(id).main().update_in_transaction(keys::KEYS).update_expression("ADD live :by");
        let update = update.expression_attribute_values(":by", number(by));
        if by < 0 {
            return update.build().map_err(Error::internal);
        }
        let update = update.condition_expression("attribute_not_exists(live) OR live < :most");
        update.expression_attribute_values(":most", number(MOST_KEYS)).build().map_err(Error::internal)
    }
}
