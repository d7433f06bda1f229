//! Tenants, their members, their configuration and their API keys.

use std::{ops::RangeInclusive, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    audit::Versioned,
    auth::Role,
    cache::CacheSettings,
    clock::Timestamp,
    error::{Error, Result},
    guard::{Guard, Guardrails},
    id::{TenantId, UserId},
    quota::Limits,
};

mod address;
mod deletion;
pub mod export;
mod identity_provider;
mod invites;
mod key;
mod members;
mod operate;
mod providers;
mod purge;
mod repo;
mod retention;

pub use address::AddressRange;
pub use deletion::{Announcements, GRACE as DELETION_TAKES};
pub use export::{Exports, Position as ExportPosition};
pub use identity_provider::IdentityProvider;
pub use invites::{Acceptable, Invitation, Invite, Invites};
pub use key::{ApiKey, KeyScope, Previous};
pub use members::{Authority, Members};
pub use operate::{MOST_SHARDS, Operation};
pub use providers::{OwnProvider, OwnProviders, sealed_for};
pub use purge::{Purge, Purged};
pub use repo::{MOST_KEYS, Tenants};
pub use retention::Retention;

/// The most fallback models of a request.
pub const MOST_FALLBACKS: usize = 8;
/// The most bytes of a region's name.
pub const LONGEST_REGION: usize = 64;

/// A customer of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its identifier.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// Into how many sub-meters its month is split.
    #[serde(default = "one")]
    pub meter_shards: u8,
    /// Whether it may do anything.
    #[serde(default)]
    pub status: Status,
    /// Why it is suspended, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_for: Option<String>,
    /// What the operator calls its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Of prepaid credit its limits are what was left in the month that begins then: those of a later month are less by what
    /// was used meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepaid_in: Option<Timestamp>,
    /// When it will be removed, if it is being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<Timestamp>,
    /// Whether its members have to prove who they are in a second way.
    #[serde(default)]
    pub require_second_factor: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}

impl Tenant {
    /// A new tenant without limits.
    #[must_use]
    pub fn new(name: impl Into<String>, at: Timestamp) -> Self {
        Self {
            id: TenantId::new(at),
            name: name.into(),
            limits: Limits::default(),
            meter_shards: one(),
            status: Status::Active,
            suspended_for: None,
            plan: None,
            prepaid_in: None,
            delete_after: None,
            require_second_factor: false,
            created_at: at,
            version: 1,
        }
    }
}

fn one() -> u8 {
    1
}

/// Why tenants are suspended that don't pay, as their audit log has it. Who is suspended for this may still pay, and goes on
/// when all is paid.
pub const UNPAID: &str = "an invoice is unpaid";

/// Whether a tenant may do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It may.
    #[default]
    Active,
    /// The operator suspended it.
    Suspended,
    /// It will be removed, unless its deletion is taken back.
    Deleting,
}

impl Versioned for Tenant {
    const KIND: &'static str = "tenant";

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn shown(&self) -> Value {
        let mut shown = json!(self);
        if let Some(fields) = shown.as_object_mut() {
            fields.shift_remove("version");
        }
        shown
    }
}

/// What operators see of a tenant in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its identifier.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// Whether it may do anything.
    pub status: Status,
    /// What the operator calls its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// When it will be removed, if it is being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl From<&Tenant> for Listed {
    fn from(tenant: &Tenant) -> Self {
        let Tenant { id, name, status, plan, delete_after, created_at, .. } = tenant.clone();
        Self { id, name, status, plan, delete_after, created_at }
    }
}

/// A person in a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// The person's address.
    pub email: String,
    /// What people call the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the person is here.
    pub role: Role,
    /// Since when.
    pub added_at: Timestamp,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}

impl Versioned for Member {
    const KIND: &'static str = "member";

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn shown(&self) -> Value {
        json!({"email": self.email, "name": self.name, "role": self.role})
    }
}

/// A configuration as it is kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Configuration {
    /// What the tenant has set.
    pub config: TenantConfig,
    /// The number of its version.
    pub version: u64,
}

impl Versioned for Configuration {
    const KIND: &'static str = "config";

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn shown(&self) -> Value {
        json!(self.config)
    }
}

/// What a tenant sets for all its requests. What is absent takes the platform's default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantConfig {
    /// The model of requests that name none: a name or an alias of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_model: Option<String>,
    /// The only models that may be used, by name or alias; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_models: Option<Vec<String>>,
    /// Sampling temperature of requests that give none, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The most tokens of an answer; a request may ask for fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Put before the messages of requests that bring no system prompt of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// Models to try, in this order, where the one that was asked for fails before it has said anything; by name or alias.
    /// Those that a request names itself come instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<String>,
    /// When answers are kept to be given again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache: CacheSettings,
    /// Origins whose pages may call with this tenant's keys (`https://app.example.com`), or `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
    /// How long a conversation is kept after its last turn, in seconds, 60 to 34,560,000 (400 days); 30 days if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 34_560_000)]
    pub session_ttl_seconds: Option<u64>,
    /// Whether what no longer fits into the model's window is summarised by the model, instead of forgotten.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub session_summary: bool,
    /// What is forbidden, hidden and limited in requests and answers.
    #[serde(default, skip_serializing_if = "Guardrails::is_default")]
    pub guardrails: Guardrails,
    /// For how many days anything of requests and answers may be kept, 0 to 3,650: answers in the cache, vectors of
    /// questions, conversations. 0: nothing but counts is ever stored. Absent: as long as `cache` and
    /// `session_ttl_seconds` say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 3_650)]
    pub retention_days: Option<u32>,
    /// Where models may be asked: only endpoints in these regions of the catalogue, of which `eu` has `eu-central-1` too;
    /// absent: everywhere. An endpoint of which no region is known is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<String>>,
}

impl TenantConfig {
    /// Whether everything is in range; models are checked against the catalogue elsewhere.
    ///
    /// # Errors
    /// `Invalid`, naming the field.
    pub fn check(&self) -> Result<()> {
        const LONGEST_SYSTEM_PROMPT: usize = 100_000;
        const MOST_LISTED: usize = 1_000;
        const SESSION_TTL: RangeInclusive<u64> = 60..=400 * 24 * 3_600;
        const MOST_DAYS: u32 = 3_650;
        const MOST_BYTES: usize = 150_000;
        if self.retention_days.is_some_and(|days| days > MOST_DAYS) {
            return Err(Error::invalid("retention_days", "retention_days must be from 0 to 3,650"));
        }
        let bad = |region: &String| region.is_empty() || region.len() > LONGEST_REGION;
        let regions = self.regions.as_deref().unwrap_or_default();
        if regions.len() > MOST_LISTED {
            return Err(Error::invalid("regions", "regions must list at most 1,000 regions"));
        }
        if let Some(index) = regions.iter().position(bad) {
            return Err(Error::invalid(format!("regions[{index}]"), "a region has 1 to 64 bytes"));
        }
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return Err(Error::invalid("temperature", "temperature must be from 0 to 2"));
        }
        if self.max_tokens == Some(0) {
            return Err(Error::invalid("max_tokens", "max_tokens must be at least 1"));
        }
        if self.system_prompt.as_ref().is_some_and(|prompt| prompt.len() > LONGEST_SYSTEM_PROMPT) {
            return Err(Error::invalid("system_prompt", "system_prompt must be at most 100,000 bytes"));
        }
        if self.allowed_models.as_ref().is_some_and(|models| models.len() > MOST_LISTED) {
            return Err(Error::invalid("allowed_models", "allowed_models must list at most 1,000 models"));
        }
        if self.fallbacks.len() > MOST_FALLBACKS {
            return Err(Error::invalid("fallbacks", format!("fallbacks must list at most {MOST_FALLBACKS} models")));
        }
        self.cache.check()?;
        if self.session_ttl_seconds.is_some_and(|seconds| !SESSION_TTL.contains(&seconds)) {
            let detail = "session_ttl_seconds must be from 60 to 34,560,000 (400 days)";
            return Err(Error::invalid("session_ttl_seconds", detail));
        }
        Guard::compile(&self.guardrails)?;
        // The audit log has it twice in one item, as it was and as it is, and an item has at most 400 KB.
        if serde_json::to_vec(self).map_err(Error::internal)?.len() > MOST_BYTES {
            return Err(Error::invalid("config", "the configuration must have at most 150,000 bytes as JSON"));
        }
        let good = |origin: &String| origin == "*" || is_origin(origin);
        match self.allowed_origins.iter().position(|origin| !good(origin)) {
            Some(index) => {
                let detail = "an origin is a scheme and a host, as in https://app.example.com, or *";
                Err(Error::invalid(format!("allowed_origins[{index}]"), detail))
            }
            None if self.allowed_origins.len() > MOST_LISTED => {
                Err(Error::invalid("allowed_origins", "allowed_origins must list at most 1,000 origins"))
            }
            None => Ok(()),
        }
    }

    /// How long a conversation is kept after its last turn.
    #[must_use]
    pub fn session_ttl(&self) -> Duration {
        const DEFAULT: Duration = Duration::from_hours(30 * 24);
        self.retention().clip(self.session_ttl_seconds.map_or(DEFAULT, Duration::from_secs))
    }

    /// How long anything of requests and answers may be kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        Retention(self.retention_days.map(|days| Duration::from_hours(24 * u64::from(days))))
    }

    /// Whether pages of `origin` may call.
    #[must_use]
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed == "*" || allowed == origin)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_origin(text: &str) -> bool {
    const LONGEST: usize = 300;
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        (1..=LONGEST).contains(&host.len())
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_named() {
        let config = TenantConfig { temperature: Some(2.1), ..TenantConfig::default() };
        assert!(matches!(config.check(), Err(Error::Invalid { param, .. }) if param == "temperature"));
        let config =
            TenantConfig { allowed_origins: vec!["*".into(), "app.example.com".into()], ..TenantConfig::default() };
        assert!(matches!(config.check(), Err(Error::Invalid { param, .. }) if param == "allowed_origins[1]"));
        let config: TenantConfig =
            serde_json::from_str(r#"{"guardrails": {"deny": [{"name": "a", "pattern": "("}]}}"#).unwrap();
        assert!(matches!(config.check(), Err(Error::Invalid { param, .. }) if param == "guardrails.deny[0].pattern"));
    }

    #[test]
    fn a_configuration_fits_into_the_audit_log_twice() {
        let with = |allowed_origins| TenantConfig { allowed_origins, ..TenantConfig::default() }.check();
        let origin = |length| format!("https://{}", "a".repeat(length));
        assert!(with(vec![origin(300)]).is_ok());
        assert!(matches!(with(vec![origin(301)]), Err(Error::Invalid { param, .. }) if param == "allowed_origins[0]"));
        assert!(with(vec![origin(100); 1_000]).is_ok());
        assert!(matches!(with(vec![origin(200); 1_000]), Err(Error::Invalid { param, .. }) if param == "config"));
    }

    #[test]
    fn a_session_is_kept_for_a_minute_at_least_and_400_days_at_most() {
        let check = |seconds| TenantConfig { session_ttl_seconds: Some(seconds), ..TenantConfig::default() }.check();
        assert!(check(60).is_ok() && check(34_560_000).is_ok());
        for seconds in [0, 59, 34_560_001, u64::MAX] {
            assert!(matches!(check(seconds), Err(Error::Invalid { param, .. }) if param == "session_ttl_seconds"));
        }
    }

    #[test]
    fn an_origin_is_matched_whole() {
        let config = TenantConfig { allowed_origins: vec!["https://a.example".into()], ..TenantConfig::default() };
        assert!(config.allows_origin("https://a.example"));
        assert!(!config.allows_origin("https://a.example.evil.test"));
    }
}
