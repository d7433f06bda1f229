//! From a presented key to a caller.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;

use super::{Caller, Known, PresentedKey, Proved};
use crate::{
    clock::Clock,
    error::{Error, Result},
    guard::Guard,
    id::{KeyId, TenantId},
    tenant::Tenants,
};

/// How long key, tenant and configuration are kept: how late a change takes effect, at most.
const FRESH: Duration = Duration::from_secs(30);

/// How many keys are kept at hand.
const AT_HAND: u64 = 10_000;

const WRONG: Error = Error::Unauthenticated("the API key is not valid");

/// Authenticates callers. A warm one reads nothing.
#[derive(Clone)]
pub struct Authenticator {
    tenants: Tenants,
    clock: Clock,
    known: Cache<(TenantId, KeyId), Option<Arc<Known>>>,
}

impl Authenticator {
    /// An authenticator by the keys of `tenants`.
    #[must_use]
    pub fn new(tenants: Tenants, clock: Clock) -> Self {
        // `forget` needs the closures; without them it does nothing.
        let known = Cache::builder().max_capacity(AT_HAND).time_to_live(FRESH).support_invalidation_closures().build();
        Self { tenants, clock, known }
    }

    /// The caller that presents `text` as its API key.
    ///
    /// # Errors
    /// `Unauthenticated`; `Unavailable` if the table can't be reached.
    pub async fn caller(&self, text: &str) -> Result<Caller> {
        let presented = PresentedKey::parse(text).ok_or(WRONG)?;
        let known = self.known(presented.tenant, presented.key).await?;
        if !presented.matches(&known.key.secret_hash) {
            return Err(WRONG);
        }
        self.usable(known)
    }

    /// The caller that opened a connection, if it could open it now.
    ///
    /// # Errors
    /// `Unauthenticated` if its key is gone, revoked or expired, `OriginNotAllowed` if the tenant lists the page's
    /// origin no more; `Unavailable` if the table can't be reached.
    pub async fn again(&self, proved: &Proved) -> Result<Caller> {
        let caller = self.usable(self.known(proved.tenant, proved.key).await?)?;
        proved.origin.as_deref().map_or(Ok(()), |origin| caller.check_origin(origin))?;
        Ok(caller)
    }

    async fn known(&self, tenant: TenantId, key: KeyId) -> Result<Arc<Known>> {
        let read = async {
            let found = self.tenants.with_key(tenant, key).await?;
            let Some((tenant, config, key)) = found else { return Ok(None) };
            // A configuration is checked before it is kept.
            let guard = Guard::compile(&config.guardrails).map_err(Error::internal)?;
            Ok::<_, Error>(Some(Arc::new(Known { tenant, config, guard, key })))
        };
        let known = self.known.try_get_with((tenant, key), read).await;
        known.map_err(|error| Error::Unavailable(error.to_string().into()))?.ok_or(WRONG)
    }

    fn usable(&self, known: Arc<Known>) -> Result<Caller> {
        let key = &known.key;
        if key.revoked_at.is_some() {
            return Err(Error::Unauthenticated("the API key is revoked"));
        }
        if key.expires_at.is_some_and(|at| at <= self.clock.now()) {
            return Err(Error::Unauthenticated("the API key has expired"));
        }
        Ok(Caller(known))
    }

    /// Forgets what is kept of a tenant, so that its own changes take effect at once where they were made.
    pub fn forget(&self, tenant: TenantId) {
        // The predicate is registered; whatever was read before is not used again.
        let _ = self.known.invalidate_entries_if(move |(of, _), _| *of == tenant);
    }
}
