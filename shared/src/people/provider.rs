//! Signing in by a tenant's identity provider.
//!
//! A tenant chooses its provider, so what the provider says counts in that tenant alone: a sign-in that began there opens
//! neither the account of its person nor another tenant, whosever address the provider names. It makes nobody a member
//! either: whoever is none is invited by mail at most, so that the person itself decides, and shows that the address is its.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Accounts, Entered, SignIn, User, sign_in::Way};
use crate::{
    audit::Source,
    auth::{Mails, Role},
    clock::Timestamp,
    error::{Error, Result},
    id::TenantId,
    mail::EmailAddress,
    oidc::{Client, Identity, Provider, Request, error_word},
    store::{Change, Committed, Written, keys, number, text},
    tenant::{IdentityProvider, Invitation, Invites, Member, Status, Tenant},
};

/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::from_mins(10);
/// What states are sealed for.
const STATE: &str = "sign-in state";
/// How often a sign-in is begun again because others changed the same person.
const TRIES: u32 = 4;

/// Somebody on the way to a provider.
#[derive(Debug)]
pub struct Departure {
    /// Where the browser is sent to.
    pub address: Url,
    /// What the browser has to bring back beside the state: a secret of its own.
    pub binding: String,
}

/// Somebody who comes back.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// What it was sent away with.
    pub state: String,
    /// The browser's own secret.
    pub binding: Option<String>,
    /// What the provider made for it.
    pub code: Option<String>,
    /// Which provider says so (RFC 9207).
    pub issuer: Option<String>,
    /// Why the provider made no code.
    pub error: Option<String>,
}

/// A sign-in that was begun: what its state holds.
#[derive(Serialize, Deserialize)]
struct Pending {
    /// What it is remembered by once it is used.
    id: String,
    tenant: TenantId,
    /// Since when the provider is the tenant's.
    since: Timestamp,
    request: Request,
    /// SHA-256 of the browser's secret.
    binding: Vec<u8>,
    expires_at: u64,
}

/// A state that was used.
#[derive(Serialize)]
struct Used {
    expires_at: u64,
}

/// Whom a provider means by a member of the tenant.
#[derive(Serialize)]
struct Link {
    /// A hash of the issuer and of what it calls the person.
    subject: String,
    /// When the member was added: whoever is added again is linked again.
    added_at: Timestamp,
}

impl Accounts {
    /// Sends somebody to a tenant's identity provider.
    ///
    /// # Errors
    /// `NotFound` if the tenant has none, `Forbidden` if it can't be relied on; `Unavailable`.
    pub async fn depart(&self, tenant: TenantId) -> Result<Departure> {
        let (rules, provider, client) = self.identity_provider(tenant).await?;
        let (request, binding) = (Request::random(), random());
        let pending = Pending {
            id: random(),
            tenant,
            since: rules.since,
            request: request.clone(),
            binding: hash(&binding),
            expires_at: self.clock.now().after(PATIENCE).seconds(),
        };
        let state = self.seal.seal(STATE, &serde_json::to_vec(&pending).map_err(Error::internal)?).await?;
        Ok(Departure { address: provider.address(&client, &request, &state), binding })
    }

    /// Signs a member in who comes back from the identity provider to the address of this tenant. Whoever is no member is
    /// sent an invitation if the tenant invites those whom its provider names: then it is `None`, whether or not there is
    /// an account.
    ///
    /// Each tenant has an address of its own to come back to, which its provider knows. So a code that one tenant's
    /// provider made never goes to another's (RFC 9700 section 4.4.2.2).
    ///
    /// # Errors
    /// `Forbidden` with what is wrong; `TenantSuspended`, `TooManyAttempts`, `Unavailable`.
    pub async fn arrive(&self, tenant: TenantId, arrival: Arrival, source: &Source) -> Result<Option<Entered>> {
        let pending = self.pending(&arrival).await?;
        if pending.tenant != tenant {
            return Err(refused("it was begun for another tenant"));
        }
        let spent = Used { expires_at: pending.expires_at + 60 };
        let main = self.table.tenant(pending.tenant).main();
        if main.put_new(&keys::used_state(&pending.id), &spent).await? == Written::Refused {
            return Err(refused("it was finished before; begin again"));
        }
        if let Some(error) = &arrival.error {
            return Err(refused(&format!("the provider says `{}`", error_word(error))));
        }
        let code = arrival.code.as_deref().ok_or_else(|| refused("the provider made no code"))?;
        let (rules, provider, client) = self.identity_provider(tenant).await?;
        check_same(&rules, pending.since)?;
        provider.check_sender(arrival.issuer.as_deref())?;
        let identity = provider.identity(&client, &pending.request, code).await?;
        for _ in 0..TRIES {
            let rules = self.rules(tenant).await?;
            check_same(&rules, pending.since)?;
            check_admitted(&rules, &identity.email)?;
            let user = self.users.by_email(&identity.email).await?;
            let place = match &user {
                Some(user) => self.memberships.find(user.id, tenant).await?,
                None => None,
            };
            let Some((user, place)) = user.zip(place) else {
                if self.invite(tenant, &rules, &identity, source).await? {
                    return Ok(None);
                }
                continue;
            };
            if let Some(entered) = self.admit(user, place, &rules, &identity, source).await? {
                return Ok(Some(entered));
            }
        }
        Err(Error::Unavailable("a person is contended".into()))
    }

    /// What somebody was sent away with, if it is the same browser and not too late.
    async fn pending(&self, arrival: &Arrival) -> Result<Pending> {
        let opened = self.seal.open_if_ours(STATE, &arrival.state).await?;
        let opened = opened.ok_or_else(|| refused("it was not begun here"))?;
        let pending: Pending = serde_json::from_slice(&opened).map_err(Error::internal)?;
        let bound = arrival.binding.as_deref().map(hash).unwrap_or_default();
        if !bool::from(bound.ct_eq(&pending.binding)) {
            return Err(refused("it was begun in another browser, or cookies are off"));
        }
        if pending.expires_at <= self.clock.now().seconds() {
            return Err(refused("it took too long; begin again"));
        }
        Ok(pending)
    }

    async fn rules(&self, tenant: TenantId) -> Result<IdentityProvider> {
        let rules = self.tenants.identity_provider(tenant).await?;
        rules.ok_or_else(|| Error::NotFound { kind: "identity_provider", id: tenant.to_string() })
    }

    async fn identity_provider(&self, tenant: TenantId) -> Result<(IdentityProvider, Arc<Provider>, Client)> {
        let rules = self.rules(tenant).await?;
        let provider = self.providers.get(&rules.issuer).await.map_err(|error| match error {
            Error::Invalid { detail, .. } => refused(&detail),
            error => error,
        })?;
        let secret = match &rules.client_secret {
            Some(sealed) => {
                let opened = self.seal.open(&secret_context(tenant), sealed).await?;
                Some(String::from_utf8(opened).map_err(|_| Error::internal("a client secret is no text"))?)
            }
            None => None,
        };
        let redirect_uri = format!("{}/api/auth/oidc/{tenant}/callback", self.deployment());
        let client = Client { id: rules.client_id.clone(), secret, redirect_uri };
        Ok((rules, provider, client))
    }

    /// What the addresses of the deployment begin with.
    #[must_use]
    pub fn deployment(&self) -> &str {
        self.tokens.ring().issuer()
    }

    /// Signs a member in as whom the provider names; `None` if something changed meanwhile.
    async fn admit(
        &self,
        user: User,
        (tenant, member): (Tenant, Member),
        rules: &IdentityProvider,
        identity: &Identity,
        source: &Source,
    ) -> Result<Option<Entered>> {
        if tenant.status != Status::Active {
            return Err(Error::TenantSuspended);
        }
        let (mut change, main) = (Change::new(&self.table), self.table.tenant(tenant.id).main());
        change.check_version(&main, keys::IDENTITY_PROVIDER, rules.version)?;
        let link = Link { subject: subject(&rules.issuer, identity), added_at: member.added_at };
        let condition = "attribute_not_exists(pk) OR added_at <> :added_at OR subject = :subject";
        let values = [(":added_at", number(link.added_at.0)), (":subject", text(&link.subject))];
        let linked = change.put_if(&main, &keys::provider_link(user.id), &link, condition, &values)?;
        let (sign_in, token) = SignIn::begin(&user, Some(tenant.id), true, source.clone(), self.clock.now());
        let sign_in = sign_in.answered_for(rules.since);
        self.sign_ins.add(&mut change, &user, &sign_in, Way::Provider)?;
        match change.commit().await? {
            Committed::Yes => self.enter(user, Some((tenant, member)), &sign_in, &token).await.map(Some),
            Committed::Refused(steps) if steps == [linked] => {
                Err(refused("the provider meant somebody else by this address; the member has to be removed first"))
            }
            Committed::Refused(_) => Ok(None),
        }
    }

    /// Sends an invitation to somebody who is no member, unless one is open; `false` if something changed meanwhile.
    async fn invite(
        &self,
        tenant: TenantId,
        rules: &IdentityProvider,
        identity: &Identity,
        source: &Source,
    ) -> Result<bool> {
        let role = rules.default_role.ok_or_else(|| refused("only members may come; ask to be invited"))?;
        let (tenant, mut change) = (self.tenants.get(tenant).await?, Change::new(&self.table));
        let invites = Invites::new(self.table.clone(), self.clock.clone(), self.mailer.clone(), self.links.clone());
        let invitation = Invitation { email: identity.email.clone(), role };
        let Some(invite) = invites.add_by_provider(&mut change, &tenant, &invitation, source).await? else {
            return Ok(true);
        };
        self.throttle.mail(&identity.email, Mails::Invite(tenant.id), source.address).await?;
        if change.commit().await? != Committed::Yes {
            return Ok(false);
        }
        invites.send(&tenant, &invite).await;
        Ok(true)
    }

    /// Fails unless somebody may be where it wants to be in the way that it comes; if by a provider, since when that was
    /// the tenant's.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub(super) async fn check_way(
        &self,
        user: &User,
        place: Option<&(Tenant, Member)>,
        by_provider: Option<Timestamp>,
    ) -> Result<()> {
        let Some((tenant, member)) = place else { return Ok(()) };
        let Some(since) = by_provider else {
            if self.provider_required(tenant.id, member.role).await? {
                let way = format!("/api/auth/oidc/{}", tenant.id);
                return Err(Error::Forbidden(format!("this tenant signs in by its identity provider, at {way}")));
            }
            return Ok(());
        };
        let rules = self.tenants.identity_provider(tenant.id).await?;
        let rules = rules.ok_or_else(|| refused("the tenant has no provider any more"))?;
        check_same(&rules, since)?;
        check_admitted(&rules, &user.email)
    }

    /// Whether a tenant's members of a role have to sign in by its provider.
    pub(super) async fn provider_required(&self, tenant: TenantId, role: Role) -> Result<bool> {
        let rules = self.tenants.identity_provider(tenant).await?;
        Ok(rules.is_some_and(|rules| rules.required) && role != Role::Owner)
    }
}

/// Fails unless a tenant has the same provider as since then.
fn check_same(rules: &IdentityProvider, since: Timestamp) -> Result<()> {
    if rules.since == since {
        return Ok(());
    }
    Err(refused("the tenant has another provider meanwhile; begin again"))
}

fn check_admitted(rules: &IdentityProvider, email: &EmailAddress) -> Result<()> {
    if rules.admits(email) {
        return Ok(());
    }
    Err(refused(&format!("addresses of `{}` may not sign in here", email.domain())))
}

/// What a tenant's client secret is sealed for.
#[must_use]
pub fn secret_context(tenant: TenantId) -> String {
    format!("identity provider of {tenant}")
}

fn subject(issuer: &str, identity: &Identity) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{issuer}\n{}", identity.subject)))
}

fn hash(binding: &str) -> Vec<u8> {
    Sha256::digest(binding).to_vec()
}

/// 256 random bits.
fn random() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn refused(why: &str) -> Error {
    Error::Forbidden(format!("signing in by the identity provider failed: {why}"))
}
