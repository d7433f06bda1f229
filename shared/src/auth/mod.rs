//! Who is calling: keys and members, what they may do, and the caller that they prove to be.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use serde::{Deserialize, Serialize};

use crate::{
    audit::{Actor, Source, Who},
    clock::Timestamp,
    error::{Error, Result},
    guard::Guard,
    id::{KeyId, UserId},
    llm::catalogue::Regions,
    quota::Account,
    tenant::{ApiKey, KeyScope, Member, OwnProviders, Status, Tenant, TenantConfig},
};

mod access;
mod api_key;
mod authenticator;
mod connections;
mod last_use;
mod operators;
pub mod password;
mod permission;
mod recovery;
mod throttle;
mod tokens;
mod totp;

pub use access::Access;
pub use api_key::{NewKey, PresentedKey};
pub use authenticator::Authenticator;
pub use connections::{Connections, Proved};
pub use last_use::LastUse;
pub use operators::{Operator, Operators};
pub use permission::{Permission, Role, documented as documented_permissions};
pub use recovery::{RecoveryCode, RecoveryHash};
pub use throttle::{Attempt, Mails, Throttle};
pub use tokens::{
    ACCESS_TOKEN_LIFE, AccessClaims, Jwk, JwkSet, Links, Purpose, Restriction, Ring, Rotation, TokenRole, Tokens,
    scope_text, signed_by,
};
pub use totp::{TotpCode, TotpSecret, TotpStep};

/// Who a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// An API key.
    Key(KeyId),
    /// A person, as a member of the tenant.
    Member(UserId),
}

/// An authenticated caller. Only [`Authenticator`] makes one, so a function that takes a `Caller` needs no check of its
/// own who it is.
#[derive(Debug, Clone)]
pub struct Caller {
    known: Arc<Known>,
    /// What a token was narrowed to; all that the key has if absent.
    scopes: Option<BTreeSet<KeyScope>>,
    /// When its access token expires, if it called with one.
    until: Option<Timestamp>,
    source: Source,
}

#[derive(Debug)]
struct Known {
    tenant: Tenant,
    config: TenantConfig,
    own: OwnProviders,
    guard: OnceLock<Result<Guard>>,
    who: Identity,
    /// Whether its use was noted since it was read.
    noted: AtomicBool,
}

/// Whoever a caller has proved to be.
#[derive(Debug)]
enum Identity {
    Key(Box<ApiKey>),
    Member(Member),
}

impl Caller {
    /// The tenant that calls.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.known.tenant
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &TenantConfig {
        &self.known.config
    }

    /// Its guardrails, ready to be applied: compiled by whoever wants them first.
    ///
    /// # Errors
    /// `Internal` if they can't be compiled; a configuration is checked before it is kept.
    pub fn guard(&self) -> Result<&Guard> {
        let guard = self.known.guard.get_or_init(|| Guard::compile(&self.known.config.guardrails));
        guard.as_ref().map_err(|error| Error::internal(error.to_string()))
    }

    /// Who it is.
    #[must_use]
    pub fn principal(&self) -> Principal {
        match &self.known.who {
            Identity::Key(key) => Principal::Key(key.id),
            Identity::Member(member) => Principal::Member(member.user),
        }
    }

    /// The key that it calls with; `None` if it is a person.
    #[must_use]
    pub fn key(&self) -> Option<&ApiKey> {
        match &self.known.who {
            Identity::Key(key) => Some(key),
            Identity::Member(_) => None,
        }
    }

    /// The member that it is; `None` if it is a key.
    #[must_use]
    pub fn member(&self) -> Option<&Member> {
        match &self.known.who {
            Identity::Key(_) => None,
            Identity::Member(member) => Some(member),
        }
    }

    /// The key that its requests are counted under; a person's has the ULID of its user.
    #[must_use]
    pub fn metered_as(&self) -> KeyId {
        match self.principal() {
            Principal::Key(id) => id,
            Principal::Member(id) => KeyId::from_ulid(id.ulid()),
        }
    }

    /// Who acts and from where, for the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let who = match &self.known.who {
            Identity::Key(key) => Who::Key { id: key.id, name: key.name.clone() },
            Identity::Member(member) => Who::User { id: member.user, email: member.email.clone() },
        };
        Actor { who, source: self.source.clone() }
    }

    /// From where it calls.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What it may ask.
    #[must_use]
    pub fn access(&self) -> Access<'_> {
        let (config, key) = (self.config(), self.key());
        let limits = [Some(self.tenant().limits), key.map(|key| key.limits)];
        Access {
            tenant_models: config.allowed_models.as_deref(),
            key_models: key.and_then(|key| key.allowed_models.as_deref()),
            tools: key.and_then(|key| key.allowed_tools.as_deref()),
            tokens_per_minute: limits.into_iter().flatten().filter_map(|limits| limits.tokens_per_minute).min(),
            regions: Regions(config.regions.as_deref()),
            own: Some((self.tenant().id, &self.known.own)),
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
        let (scopes, until, address) = (self.scopes.clone(), self.until, self.source.address);
        Proved { tenant: self.tenant().id, who: self.principal(), scopes, until, origin, address }
    }

    /// What its requests are charged to.
    #[must_use]
    pub fn account(&self) -> Account {
        let tenant = self.tenant();
        Account {
            tenant: tenant.id,
            limits: tenant.limits,
            shards: tenant.meter_shards,
            key: self.metered_as(),
            key_limits: self.key().map(|key| key.limits).unwrap_or_default(),
        }
    }

    /// Whether it may do something.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        match &self.known.who {
            Identity::Key(key) => {
                let narrowed = |scope| self.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope));
                permission.scopes().iter().any(|scope| key.scopes.contains(scope) && narrowed(scope))
            }
            Identity::Member(member) => permission.roles().contains(&member.role),
        }
    }

    /// Fails unless it may do something.
    ///
    /// # Errors
    /// `TenantSuspended` if its tenant is being deleted or doesn't pay and this doesn't outlast that; `Forbidden`, which
    /// says what it would take.
    pub fn require(&self, permission: Permission) -> Result<()> {
        let is_left = match self.tenant().status {
            Status::Active => true,
            Status::Suspended => permission.is_for_paying(),
            Status::Deleting => permission.outlasts_tenant(),
        };
        if !is_left {
            return Err(Error::TenantSuspended);
        }
        if self.may(permission) {
            return Ok(());
        }
        let names = |names: Vec<&str>| names.join("`, `");
        Err(Error::Forbidden(match &self.known.who {
            Identity::Key(_) if permission.scopes().is_empty() => "no API key may do this".to_owned(),
            Identity::Key(_) => {
                let scopes = names(permission.scopes().iter().map(|scope| scope.as_str()).collect());
                format!("this needs an API key with the scope `{scopes}`")
            }
            Identity::Member(_) => {
                let roles = names(permission.roles().iter().map(|role| role.as_str()).collect());
                format!("this needs a member with the role `{roles}`")
            }
        }))
    }
}
