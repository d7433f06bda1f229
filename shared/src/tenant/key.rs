//! API keys: what one is, what it may do, and how its secret is replaced. Pure.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::AddressRange;
use crate::{
    audit::Versioned,
    auth::{NewKey, PresentedKey},
    clock::Timestamp,
    error::{Error, Result},
    id::KeyId,
    quota::Limits,
};

/// What an API key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum KeyScope {
    /// Ask models.
    #[serde(rename = "query")]
    Query,
    /// Have texts turned into vectors.
    #[serde(rename = "embed")]
    Embed,
    /// Read the tenant's usage.
    #[serde(rename = "usage:read")]
    UsageRead,
    /// Read the tenant's plan and invoices.
    #[serde(rename = "billing:read")]
    BillingRead,
    /// Read the tenant's audit log.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Manage the tenant: whatever isn't left to its owners.
    #[serde(rename = "tenant:admin")]
    TenantAdmin,
}

impl KeyScope {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Query, Self::Embed, Self::UsageRead, Self::BillingRead, Self::AuditRead, Self::TenantAdmin];

    /// As it is written in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Embed => "embed",
            Self::UsageRead => "usage:read",
            Self::BillingRead => "billing:read",
            Self::AuditRead => "audit:read",
            Self::TenantAdmin => "tenant:admin",
        }
    }

    /// All of them.
    #[must_use]
    pub fn all() -> BTreeSet<Self> {
        BTreeSet::from(Self::ALL)
    }
}

/// An API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its identifier.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the secret, in hex.
    pub secret_hash: String,
    /// The secret that it had before, while that one is still good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
    /// What it may be used for.
    pub scopes: BTreeSet<KeyScope>,
    /// Limits of its own, beside the tenant's.
    #[serde(default)]
    pub limits: Limits,
    /// The only models that it may ask, by name or alias, beside the tenant's list; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_models: Option<Vec<String>>,
    /// The only tools that its requests may bring: names, or beginnings of names with a `*` behind them; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_tools: Option<Vec<String>>,
    /// The only addresses that it may be used from; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_addresses: Option<Vec<AddressRange>>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last used, if it was: up to an hour late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// From when it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Since when it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}

/// A secret that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// SHA-256 of the secret, in hex.
    pub secret_hash: String,
    /// From when it is refused.
    pub until: Timestamp,
}

impl ApiKey {
    /// How often its use is noted, at most.
    pub const NOTED_EVERY: Duration = Duration::from_hours(1);

    /// A key that was just made, without limits.
    #[must_use]
    pub fn of(new: &NewKey, name: &str, scopes: BTreeSet<KeyScope>, at: Timestamp) -> Self {
        Self {
            id: new.id,
            name: name.to_owned(),
            secret_hash: new.secret_hash.clone(),
            previous: None,
            scopes,
            limits: Limits::default(),
            allowed_models: None,
            allowed_tools: None,
            allowed_addresses: None,
            created_at: at,
            last_used_at: None,
            expires_at: None,
            revoked_at: None,
            version: 1,
        }
    }

    /// Whether the presented secret is its own, or the one before while that is still good.
    #[must_use]
    pub fn is_opened_by(&self, presented: &PresentedKey, now: Timestamp) -> bool {
        let previous = self.previous_at(now).is_some_and(|previous| presented.matches(&previous.secret_hash));
        presented.matches(&self.secret_hash) || previous
    }

    /// The secret before, if it is still good.
    #[must_use]
    pub fn previous_at(&self, now: Timestamp) -> Option<&Previous> {
        self.previous.as_ref().filter(|previous| now < previous.until)
    }

    /// Whether it may be used from there. An address that isn't known is in no list.
    #[must_use]
    pub fn may_call_from(&self, address: Option<IpAddr>) -> bool {
        let Some(ranges) = &self.allowed_addresses else { return true };
        address.is_some_and(|address| ranges.iter().any(|range| range.contains(address)))
    }

    /// Whether its use is to be noted.
    #[must_use]
    pub fn is_to_be_noted(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|at| now.since(at) >= Self::NOTED_EVERY)
    }

    /// Gives it a new secret. The one that it has stays good for `overlap`.
    ///
    /// # Errors
    /// `Conflict` if it is revoked, or if the one before is still good and should be kept good: three secrets at once
    /// would leave nobody knowing which is in use. Without an overlap all others end at once, whatever there was.
    pub fn rotate(&mut self, new: &NewKey, overlap: Duration, now: Timestamp) -> Result<()> {
        self.check_usable()?;
        if let Some(Previous { until, .. }) = self.previous_at(now)
            && !overlap.is_zero()
        {
            let detail = format!(
                "the secret before is good until {until}: rotate then, or with `overlap_seconds` 0, which ends all \
                 other secrets at once"
            );
            return Err(Error::Conflict(detail));
        }
        let replaced = std::mem::replace(&mut self.secret_hash, new.secret_hash.clone());
        let until = now.after(overlap);
        self.previous = (!overlap.is_zero()).then_some(Previous { secret_hash: replaced, until });
        Ok(())
    }

    /// Fails if it is revoked: then nothing of it is changed any more.
    ///
    /// # Errors
    /// `Conflict`.
    pub fn check_usable(&self) -> Result<()> {
        match self.revoked_at {
            Some(at) => Err(Error::Conflict(format!("the key is revoked since {at}"))),
            None => Ok(()),
        }
    }

    /// In what `other` may do more than this key, but for scopes; `None` if in nothing.
    #[must_use]
    pub fn exceeded_by(&self, other: &Self) -> Option<&'static str> {
        let limits = |of: fn(&Limits) -> Option<u64>| within(of(&self.limits), of(&other.limits));
        let all_limits = limits(|limits| limits.requests_per_minute)
            && limits(|limits| limits.tokens_per_minute)
            && limits(|limits| limits.monthly_tokens)
            && limits(|limits| limits.monthly_nano_usd);
        let fields = [
            ("limits", all_limits),
            ("expires_at", within(self.expires_at, other.expires_at)),
            ("allowed_models", listed(self.allowed_models.as_ref(), other.allowed_models.as_ref(), PartialEq::eq)),
            (
                "allowed_tools",
                listed(self.allowed_tools.as_ref(), other.allowed_tools.as_ref(), |own, tool| covers(own, tool)),
            ),
            (
                "allowed_addresses",
                listed(self.allowed_addresses.as_ref(), other.allowed_addresses.as_ref(), AddressRange::covers),
            ),
        ];
        fields.into_iter().find(|(_, within)| !within).map(|(field, _)| field)
    }
}

/// Whether what has no bound, or this one, bounds the other.
fn within<T: PartialOrd>(own: Option<T>, other: Option<T>) -> bool {
    own.is_none_or(|own| other.is_some_and(|other| other <= own))
}

/// Whether each that the other lists is covered by one of the own list, if there is such a list.
fn listed<T>(own: Option<&Vec<T>>, other: Option<&Vec<T>>, covers: impl Fn(&T, &T) -> bool) -> bool {
    let Some(own) = own else { return true };
    other.is_some_and(|other| other.iter().all(|one| own.iter().any(|own| covers(own, one))))
}

/// Whether a tool, or all tools that begin so, are among those that `own` names.
fn covers(own: &str, tool: &str) -> bool {
    own == tool || own.strip_suffix('*').is_some_and(|start| tool.trim_end_matches('*').starts_with(start))
}

impl Versioned for ApiKey {
    const KIND: &'static str = "key";

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn shown(&self) -> Value {
        let mut shown = json!(self);
        if let Some(fields) = shown.as_object_mut() {
            for hidden in ["secret_hash", "previous", "last_used_at", "version"] {
                fields.shift_remove(hidden);
            }
            if let Some(previous) = &self.previous {
                fields.insert("previous_until".to_owned(), json!(previous.until));
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests;
