//! Who changed what, from where. Every change of a tenant's state writes its entry in the same transaction; nothing
//! changes an entry or takes it away but the end of the tenant.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    clock::Timestamp,
    error::Result,
    id::{AuditId, KeyId, TenantId, UserId},
    store::{Change, Order, Table, keys},
};

mod edit;

pub use edit::{Edit, IfMatch, Versioned};

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Who {
    /// A person who is a member of the tenant, or was just becoming one.
    User {
        /// Who.
        id: UserId,
        /// The address, as it was then.
        email: String,
    },
    /// An API key.
    Key {
        /// Which.
        id: KeyId,
        /// Its name, as it was then.
        name: String,
    },
    /// A person who works for the operator.
    Operator {
        /// Who; absent for the operator's command line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<UserId>,
    },
    /// The platform itself: a schedule, or a rule.
    System,
}

/// Where a request comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The client's address, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What the client says that it is, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The request's `X-Request-Id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Who acts, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub who: Who,
    /// From where.
    pub source: Source,
}

impl Actor {
    /// The operator at the command line.
    #[must_use]
    pub fn command_line() -> Self {
        Self { who: Who::Operator { id: None }, source: Source::default() }
    }

    /// The platform itself.
    #[must_use]
    pub fn system() -> Self {
        Self { who: Who::System, source: Source::default() }
    }
}

/// What is done to what.
#[derive(Debug, Clone, Default)]
pub struct Deed {
    /// `<kind>.<verb>`, as in `key.create`.
    pub action: &'static str,
    /// The id or name of what it is done to.
    pub target: String,
    /// What it was before, without secrets; `Null` if it was not there.
    pub before: Value,
    /// What it is now, without secrets; `Null` if it is gone.
    pub after: Value,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its identifier; entries sort by time.
    pub id: AuditId,
    /// When it was done.
    pub at: Timestamp,
    /// By whom.
    pub actor: Who,
    /// From where.
    #[serde(flatten)]
    pub source: Source,
    /// What was done: `<kind>.<verb>`.
    pub action: String,
    /// To what.
    pub target: String,
    /// What it was before; `null` if it was not there. Of objects only what changed.
    #[serde(default)]
    pub before: Value,
    /// What it is now; `null` if it is gone. Of objects only what changed.
    #[serde(default)]
    pub after: Value,
}

/// Adds an entry to a change.
///
/// # Errors
/// `Internal` if it can't be written as an item.
pub fn record(change: &mut Change, tenant: TenantId, actor: &Actor, at: Timestamp, deed: Deed) -> Result<()> {
    record_as(change, tenant, actor, at, deed).map(drop)
}

/// The same; returns the entry's identifier.
///
/// # Errors
/// `Internal` if it can't be written as an item.
pub fn record_as(change: &mut Change, tenant: TenantId, actor: &Actor, at: Timestamp, deed: Deed) -> Result<AuditId> {
    let (partition, entry) = (change.table().tenant(tenant).audit(), entry(actor, at, deed));
    change.put_new(&partition, &keys::entry(entry.id), &entry)?;
    Ok(entry.id)
}

/// Adds an entry to a change for those who work for the operator.
///
/// # Errors
/// `Internal` if it can't be written as an item.
pub fn record_for_operators(change: &mut Change, actor: &Actor, at: Timestamp, deed: Deed) -> Result<()> {
    let (partition, entry) = (change.table().operators(), entry(actor, at, deed));
    change.put_new(&partition, &keys::operated(entry.id), &entry)?;
    Ok(())
}

fn entry(actor: &Actor, at: Timestamp, deed: Deed) -> Entry {
    let (before, after) = difference(deed.before, deed.after);
    Entry {
        id: AuditId::new(at),
        at,
        actor: actor.who.clone(),
        source: actor.source.clone(),
        action: deed.action.to_owned(),
        target: deed.target,
        before,
        after,
    }
}

/// Of two objects only the fields that differ.
fn difference(mut before: Value, mut after: Value) -> (Value, Value) {
    if let (Value::Object(before), Value::Object(after)) = (&mut before, &mut after) {
        let same: Vec<_> = before.iter().filter(|(name, value)| after.get(*name) == Some(value)).collect();
        let same: Vec<_> = same.into_iter().map(|(name, _)| name.clone()).collect();
        for name in same {
            before.shift_remove(&name);
            after.shift_remove(&name);
        }
    }
    (before, after)
}

/// Audit logs in the table.
#[derive(Debug, Clone)]
pub struct Audit {
    table: Table,
}

impl Audit {
    /// The audit logs in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// A page of a tenant's entries, and behind which sort key to go on, if there are more.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn page(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: u16,
        order: Order,
    ) -> Result<(Vec<Entry>, Option<String>)> {
        self.table.tenant(tenant).audit().page("", after, limit, order).await
    }
}

impl Audit {
    /// The same of what those who work for the operator did.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn page_of_operators(
        &self,
        after: Option<&str>,
        limit: u16,
        order: Order,
    ) -> Result<(Vec<Entry>, Option<String>)> {
        self.table.operators().page(keys::OPERATED_PREFIX, after, limit, order).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_changed_is_kept() {
        let (before, after) = difference(json!({"a": 1, "b": 2}), json!({"a": 1, "b": 3, "c": 4}));
        assert_eq!((before, after), (json!({"b": 2}), json!({"b": 3, "c": 4})));
        let (before, after) = difference(Value::Null, json!({"a": 1}));
        assert_eq!((before, after), (Value::Null, json!({"a": 1})));
    }
}
