//! Who is calling: API keys, and the caller that they prove.

use std::sync::Arc;

use crate::{
    error::{Error, Result},
    guard::Guard,
    quota::Account,
    tenant::{ApiKey, KeyScope, Tenant, TenantConfig},
};

mod api_key;
mod authenticator;
mod connections;
pub mod password;
mod recovery;
pub mod throttle;
mod totp;

pub use api_key::{NewKey, PresentedKey};
pub use authenticator::Authenticator;
pub use connections::{Connections, Proved};
pub use recovery::{RecoveryCode, RecoveryHash};
pub use throttle::Throttle;
pub use totp::{TotpCode, TotpSecret, TotpStep};

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
