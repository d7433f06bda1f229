//! Who is calling: API keys, and the caller that they prove.

use std::sync::Arc;

use crate::{
    error::{Error, Result},
    guard::Guard,
    llm::catalogue::Regions,
    quota::Account,
    tenant::{ApiKey, KeyScope, Tenant, TenantConfig},
};

mod access;
mod api_key;
mod authenticator;
mod connections;

pub use access::Access;
pub use api_key::{NewKey, PresentedKey};
pub use authenticator::Authenticator;
pub use connections::{Connections, Proved};

/// An authenticated caller. Only [`Authenticator`] makes one, so a function that takes a `Caller` needs no check of its
/// own who it is.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Known>);

#[derive(Debug)]
struct Known {
    tenant: Tenant,
    config: TenantConfig,
    guard: Guard,
    key: ApiKey,
}

impl Caller {
    /// The tenant that calls.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.0.tenant
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &TenantConfig {
        &self.0.config
    }

    /// Its guardrails, ready to be applied.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// The key that it calls with.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.0.key
    }

    /// What it may ask.
    #[must_use]
    pub fn access(&self) -> Access<'_> {
        let Known { config, key, .. } = &*self.0;
        Access {
            tenant_models: config.allowed_models.as_deref(),
            key_models: key.allowed_models.as_deref(),
            tools: key.allowed_tools.as_deref(),
            regions: Regions(config.regions.as_deref()),
        }
    }

    /// Fails unless pages of `origin` may call.
    ///
    /// # Errors
    /// `OriginNotAllowed`.
    pub fn check_origin(&self, origin: &str) -> Result<()> {
        if self.config().allows_origin(origin) { Ok(()) } else { Err(Error::OriginNotAllowed(origin.to_owned())) }
    }

    /// What a connection keeps of the caller that opened it, from a page of `origin` if it is a page.
    #[must_use]
    pub fn proved(&self, origin: Option<String>) -> Proved {
        Proved { tenant: self.0.tenant.id, key: self.0.key.id, origin }
    }

    /// What its requests are charged to.
    #[must_use]
    pub fn account(&self) -> Account {
        let Known { tenant, key, .. } = &*self.0;
        Account {
            tenant: tenant.id,
            limits: tenant.limits,
            shards: tenant.meter_shards,
            key: key.id,
            key_limits: key.limits,
        }
    }

    /// Fails unless it may have texts turned into vectors.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn may_embed(&self) -> Result<()> {
        self.require(KeyScope::Query).or_else(|_| self.require(KeyScope::Embed))
    }

    /// Fails unless its key has the scope.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn require(&self, scope: KeyScope) -> Result<()> {
        if self.key().scopes.contains(&scope) {
            return Ok(());
        }
        Err(Error::Forbidden(format!("this needs an API key with the scope `{}`", scope.as_str())))
    }
}
