//! From a presented key to a caller.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use moka::future::Cache;

use super::{Caller, Identity, Known, PresentedKey, Principal, Proved, Tokens, last_use::LastUse};
use crate::{
    audit::Source,
    clock::{Clock, Timestamp},
    error::{Error, Result},
    id::TenantId,
    store::keys,
    tenant::{KeyScope, Status, Tenants, UNPAID},
};

/// How long key, tenant and configuration are kept: how late a change takes effect, at most.
const FRESH: Duration = Duration::from_secs(30);

/// How many keys are kept at hand.
const AT_HAND: u64 = 10_000;

/// How often wrong secrets have a key read again, at most.
const DOUBTED_EVERY: Duration = Duration::from_secs(1);

const WRONG: Error = Error::Unauthenticated("the API key is not valid");

/// Authenticates callers. A warm one reads nothing.
#[derive(Clone)]
pub struct Authenticator {
    tenants: Tenants,
    tokens: Tokens,
    clock: Clock,
    last_use: LastUse,
    known: Cache<(TenantId, Principal), Arc<Found>>,
}

/// What was read of a principal.
struct Found {
    known: Option<Arc<Known>>,
    at: Timestamp,
    /// Whether a wrong secret had it read.
    doubted: bool,
}

impl Authenticator {
    /// An authenticator by the keys and members of `tenants`, which notes the uses of keys.
    #[must_use]
    pub fn new(tenants: Tenants, tokens: Tokens, clock: Clock, last_use: LastUse) -> Self {
        // `forget` needs the closures; without them it does nothing.
        let known = Cache::builder().max_capacity(AT_HAND).time_to_live(FRESH).support_invalidation_closures().build();
        Self { tenants, tokens, clock, last_use, known }
    }

    /// The caller that presents `text`, an API key or an access token, from there.
    ///
    /// # Errors
    /// `Unauthenticated`, `InvalidToken`, `Restricted`, `Forbidden` if the token is for no tenant, `TenantSuspended`,
    /// `AddressNotAllowed`; `Unavailable` if table or keys can't be reached.
    pub async fn caller(&self, text: &str, source: Source) -> Result<Caller> {
        // Only tokens have dots.
        if text.contains('.') { self.holder(text, source).await } else { self.of_key(text, source).await }
    }

    /// The tokens that it takes.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The caller that an access token was issued to.
    async fn holder(&self, text: &str, source: Source) -> Result<Caller> {
        const GONE: Error = Error::InvalidToken("whoever the access token was issued to may not call any more");
        let claims = self.tokens.verify(text).await?;
        if let Some(restriction) = claims.restriction {
            return Err(Error::Restricted(restriction));
        }
        let tenant = claims.tenant.ok_or_else(|| Error::Forbidden("this access token is for no tenant".to_owned()))?;
        let known = self.found(tenant, claims.sub).await?.known.clone().ok_or(GONE)?;
        // A person is what its membership says, a key no more than the token says.
        let scopes = matches!(claims.sub, Principal::Key(_)).then_some(claims.scopes);
        let caller = self.usable(known, scopes, source).await.map_err(|error| match error {
            Error::Unauthenticated(_) => GONE,
            error => error,
        })?;
        Ok(Caller { until: Some(Timestamp(claims.exp * 1_000)), ..caller })
    }

    /// The caller whose API key it is, from there.
    ///
    /// # Errors
    /// `Unauthenticated`, `TenantSuspended`, `AddressNotAllowed`; `Unavailable` if the table can't be reached.
    pub async fn of_key(&self, text: &str, source: Source) -> Result<Caller> {
        let presented = PresentedKey::parse(text).ok_or(WRONG)?;
        let (tenant, who) = (presented.tenant, Principal::Key(presented.key));
        let opened = |found: &Found| found.known.clone().filter(|known| opens(known, &presented, self.clock.now()));
        let mut found = self.found(tenant, who).await?;
        let mut known = opened(&found);
        // A secret that isn't known yet may be one that the key was given since.
        if known.is_none() && found.known.is_some() && self.may_be_doubted(&found) {
            self.known.invalidate(&(tenant, who)).await;
            found = self.read_once(tenant, who, true).await?;
            known = opened(&found);
        }
        self.usable(known.ok_or(WRONG)?, None, source).await
    }

    /// The caller that opened a connection, if it could open it now.
    ///
    /// # Errors
    /// `InvalidToken` if the token that opened it has expired, `TenantSuspended`, `Unauthenticated` if its key or member is gone, revoked or
    /// expired, `OriginNotAllowed` if the tenant lists the
    /// page's origin no more, `AddressNotAllowed` if the key lists the client's address no more; `Unavailable` if the
    /// table can't be reached.
    pub async fn again(&self, proved: &Proved) -> Result<Caller> {
        const GONE: Error = Error::Unauthenticated("whoever opened this connection may not call any more");
        const OVER: Error = Error::InvalidToken(
            "the access token that opened this connection has expired; connect again with a new one",
        );
        if proved.until.is_some_and(|until| until <= self.clock.now()) {
            return Err(OVER);
        }
        let known = self.found(proved.tenant, proved.who).await?.known.clone().ok_or(GONE)?;
        let source = Source { address: proved.address, ..Source::default() };
        let caller = self.usable(known, proved.scopes.clone(), source).await?;
        if caller.tenant().status == Status::Suspended {
            return Err(Error::TenantSuspended);
        }
        proved.origin.as_deref().map_or(Ok(()), |origin| caller.check_origin(origin))?;
        Ok(Caller { until: proved.until, ..caller })
    }

    async fn found(&self, tenant: TenantId, who: Principal) -> Result<Arc<Found>> {
        if let Some(found) = self.known.get(&(tenant, who)).await {
            if self.clock.now().since(found.at) < FRESH {
                return Ok(found);
            }
            self.known.invalidate(&(tenant, who)).await;
        }
        self.read_once(tenant, who, false).await
    }

    /// Whoever presents wrong secrets of a key has it read again once, and then once a second.
    fn may_be_doubted(&self, found: &Found) -> bool {
        !found.doubted || self.clock.now().since(found.at) >= DOUBTED_EVERY
    }

    async fn read_once(&self, tenant: TenantId, who: Principal, doubted: bool) -> Result<Arc<Found>> {
        // In a box, because the SDK's futures are large.
        let read = Box::pin(async {
            let at = self.clock.now();
            Ok::<_, Error>(Arc::new(Found { known: self.read(tenant, who).await?, at, doubted }))
        });
        let found = self.known.try_get_with((tenant, who), read).await;
        found.map_err(|error| Error::Unavailable(error.to_string().into()))
    }

    async fn read(&self, tenant: TenantId, who: Principal) -> Result<Option<Arc<Known>>> {
        let found = match who {
            Principal::Key(id) => {
                let found = self.tenants.with(tenant, &keys::key(id)).await?;
                found.map(|(tenant, settings, key)| (tenant, settings, Identity::Key(Box::new(key))))
            }
            Principal::Member(id) => {
                let found = self.tenants.with(tenant, &keys::member(id)).await?;
                found.map(|(tenant, settings, member)| (tenant, settings, Identity::Member(member)))
            }
        };
        let Some((tenant, (config, own), who)) = found else { return Ok(None) };
        Ok(Some(Arc::new(Known { tenant, config, own, guard: OnceLock::new(), who, noted: false.into() })))
    }

    async fn usable(&self, known: Arc<Known>, scopes: Option<BTreeSet<KeyScope>>, source: Source) -> Result<Caller> {
        let now = self.clock.now();
        if let Identity::Key(key) = &known.who {
            if key.revoked_at.is_some() {
                return Err(Error::Unauthenticated("the API key is revoked"));
            }
            if key.expires_at.is_some_and(|at| at <= now) {
                return Err(Error::Unauthenticated("the API key has expired"));
            }
        }
        // One that is being deleted may still be taken back, and one that doesn't pay may still do so: `Caller::require`
        // sees to it.
        if known.tenant.status == Status::Suspended && known.tenant.suspended_for.as_deref() != Some(UNPAID) {
            return Err(Error::TenantSuspended);
        }
        if let Identity::Key(key) = &known.who {
            if !key.may_call_from(source.address) {
                return Err(Error::AddressNotAllowed(source.address));
            }
            self.last_use.note(&known, key, now).await;
        }
        Ok(Caller { known, scopes, until: None, source })
    }

    /// Forgets what is kept of a tenant, so that its own changes take effect at once where they were made.
    pub fn forget(&self, tenant: TenantId) {
        // The predicate is registered; whatever was read before is not used again.
        let _ = self.known.invalidate_entries_if(move |(of, _), _| *of == tenant);
    }
}

fn opens(known: &Known, presented: &PresentedKey, now: Timestamp) -> bool {
    match &known.who {
        Identity::Key(key) => key.is_opened_by(presented, now),
        Identity::Member(_) => false,
    }
}
