//! From a presented key to a caller.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use moka::future::Cache;

use super::{Caller, Identity, Known, PresentedKey, Principal, Proved, Tokens};
use crate::{
    audit::Source,
    clock::Clock,
    error::{Error, Result},
    guard::Guard,
    id::TenantId,
    store::keys,
    tenant::{KeyScope, Status, Tenants},
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
    tokens: Tokens,
    clock: Clock,
    known: Cache<(TenantId, Principal), Option<Arc<Known>>>,
}

impl Authenticator {
    /// An authenticator by the keys and members of `tenants`.
    #[must_use]
    pub fn new(tenants: Tenants, tokens: Tokens, clock: Clock) -> Self {
        // `forget` needs the closures; without them it does nothing.
        let known = Cache::builder().max_capacity(AT_HAND).time_to_live(FRESH).support_invalidation_closures().build();
        Self { tenants, tokens, clock, known }
    }

    /// The caller that presents `text`: an API key or an access token.
    ///
    /// # Errors
    /// `Unauthenticated`, `InvalidToken`, `Restricted`, `Forbidden` if the token is for no tenant, `TenantSuspended`;
    /// `Unavailable` if table or keys can't be reached.
    pub async fn caller(&self, text: &str) -> Result<Caller> {
        // Only tokens have dots.
        if text.contains('.') { self.holder(text).await } else { self.of_key(text).await }
    }

    /// The tokens that it takes.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The caller that an access token was issued to.
    async fn holder(&self, text: &str) -> Result<Caller> {
        const GONE: Error = Error::InvalidToken("whoever the access token was issued to may not call any more");
        let claims = self.tokens.verify(text).await?;
        if let Some(restriction) = claims.restriction {
            return Err(Error::Restricted(restriction));
        }
        let tenant = claims.tenant.ok_or_else(|| Error::Forbidden("this access token is for no tenant".to_owned()))?;
        let known = self.known(tenant, claims.sub).await?.ok_or(GONE)?;
        // A person is what its membership says, a key no more than the token says.
        let scopes = matches!(claims.sub, Principal::Key(_)).then_some(claims.scopes);
        self.usable(known, scopes).map_err(|error| match error {
            Error::Unauthenticated(_) => GONE,
            error => error,
        })
    }

    /// The caller whose API key it is.
    ///
    /// # Errors
    /// `Unauthenticated`, `TenantSuspended`; `Unavailable` if the table can't be reached.
    pub async fn of_key(&self, text: &str) -> Result<Caller> {
        let presented = PresentedKey::parse(text).ok_or(WRONG)?;
        let known = self.known(presented.tenant, Principal::Key(presented.key)).await?.ok_or(WRONG)?;
        match &known.who {
            Identity::Key(key) if presented.matches(&key.secret_hash) => self.usable(known, None),
            Identity::Key(_) | Identity::Member(_) => Err(WRONG),
        }
    }

    /// The caller that opened a connection, if it could open it now.
    ///
    /// # Errors
    /// `Unauthenticated` if its key or member is gone, revoked or expired, `OriginNotAllowed` if the tenant lists the
    /// page's origin no more; `Unavailable` if the table can't be reached.
    pub async fn again(&self, proved: &Proved) -> Result<Caller> {
        const GONE: Error = Error::Unauthenticated("whoever opened this connection may not call any more");
        let known = self.known(proved.tenant, proved.who).await?.ok_or(GONE)?;
        let caller = self.usable(known, proved.scopes.clone())?;
        proved.origin.as_deref().map_or(Ok(()), |origin| caller.check_origin(origin))?;
        Ok(caller)
    }

    async fn known(&self, tenant: TenantId, who: Principal) -> Result<Option<Arc<Known>>> {
        let known = self.known.try_get_with((tenant, who), self.read(tenant, who)).await;
        known.map_err(|error| Error::Unavailable(error.to_string().into()))
    }

    async fn read(&self, tenant: TenantId, who: Principal) -> Result<Option<Arc<Known>>> {
        let found = match who {
            Principal::Key(id) => {
                let found = self.tenants.with(tenant, &keys::key(id)).await?;
                found.map(|(tenant, config, key)| (tenant, config, Identity::Key(key)))
            }
            Principal::Member(id) => {
                let found = self.tenants.with(tenant, &keys::member(id)).await?;
                found.map(|(tenant, config, member)| (tenant, config, Identity::Member(member)))
            }
        };
        let Some((tenant, config, who)) = found else { return Ok(None) };
        // A configuration is checked before it is kept.
        let guard = Guard::compile(&config.guardrails).map_err(Error::internal)?;
        Ok(Some(Arc::new(Known { tenant, config, guard, who })))
    }

    fn usable(&self, known: Arc<Known>, scopes: Option<BTreeSet<KeyScope>>) -> Result<Caller> {
        if let Identity::Key(key) = &known.who {
            if key.revoked_at.is_some() {
                return Err(Error::Unauthenticated("the API key is revoked"));
            }
            if key.expires_at.is_some_and(|at| at <= self.clock.now()) {
                return Err(Error::Unauthenticated("the API key has expired"));
            }
        }
        if known.tenant.status != Status::Active {
            return Err(Error::TenantSuspended);
        }
        Ok(Caller { known, scopes, source: Source::default() })
    }

    /// Forgets what is kept of a tenant, so that its own changes take effect at once where they were made.
    pub fn forget(&self, tenant: TenantId) {
        // The predicate is registered; whatever was read before is not used again.
        let _ = self.known.invalidate_entries_if(move |(of, _), _| *of == tenant);
    }
}
