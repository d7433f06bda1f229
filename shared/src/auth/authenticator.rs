//! From a presented key to a caller.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;

use super::{Caller, Known, PresentedKey};
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
        const WRONG: Error = Error::Unauthenticated("the API key is not valid");
        let presented = PresentedKey::parse(text).ok_or(WRONG)?;
        let id = (presented.tenant, presented.key);
        let read = async {
            let found = self.tenants.with_key(presented.tenant, presented.key).await?;
            let Some((tenant, config, key)) = found else { return Ok(None) };
            // A configuration is checked before it is kept.
            let guard = Guard::compile(&config.guardrails).map_err(Error::internal)?;
            Ok::<_, Error>(Some(Arc::new(Known { tenant, config, guard, key })))
        };
        let known = self.known.try_get_with(id, read).await;
        let known = known.map_err(|error| Error::Unavailable(error.to_string().into()))?.ok_or(WRONG)?;
        let key = &known.key;
        if !presented.matches(&key.secret_hash) {
            return Err(WRONG);
        }
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
