//! Signing in by a tenant's identity provider.
//!
//! A tenant chooses its provider, so what the provider says counts in that tenant alone: a sign-in that began there opens
//! neither the account of its person nor another tenant, whosever address the provider names.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Accounts, Entered, SignIn, User};
use crate::{
    audit::{Deed, Source, record},
    auth::Role,
    clock::Timestamp,
    error::{Error, Result},
    id::TenantId,
    oidc::{Client, Identity, Provider, Request, error_word},
    store::{Change, Committed, Written, keys, number, text},
    tenant::{IdentityProvider, Member, Tenant},
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
    issuer: String,
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
        let (_, provider, client) = self.identity_provider(tenant).await?;
        let (request, binding) = (Request::random(), random());
        let pending = Pending {
            id: random(),
            tenant,
            issuer: provider.issuer().to_owned(),
            request: request.clone(),
            binding: hash(&binding),
            expires_at: self.clock.now().after(PATIENCE).seconds(),
        };
        let state = self.seal.seal(STATE, &serde_json::to_vec(&pending).map_err(Error::internal)?).await?;
        Ok(Departure { address: provider.address(&client, &request, &state), binding })
    }

    /// Signs somebody in who comes back from a tenant's identity provider; with what the tenant allows, as a new member.
    ///
    /// # Errors
    /// `Forbidden` with what is wrong; `Unavailable`.
    pub async fn arrive(&self, arrival: Arrival, source: &Source) -> Result<Entered> {
        let pending = self.pending(&arrival).await?;
        let used = Used { expires_at: pending.expires_at + 60 };
        let main = self.table.tenant(pending.tenant).main();
        if main.put_new(&keys::used_state(&pending.id), &used).await? == Written::Refused {
            return Err(refused("it was finished before; begin again"));
        }
        if let Some(error) = &arrival.error {
            return Err(refused(&format!("the provider says `{}`", error_word(error))));
        }
        let code = arrival.code.as_deref().ok_or_else(|| refused("the provider made no code"))?;
        let (rules, provider, client) = self.identity_provider(pending.tenant).await?;
        if provider.issuer() != pending.issuer {
            return Err(refused("the tenant has another provider meanwhile; begin again"));
        }
        provider.check_sender(arrival.issuer.as_deref())?;
        let identity = provider.identity(&client, &pending.request, code).await?;
        if !rules.admits(&identity.email) {
            return Err(refused(&format!("addresses of `{}` may not sign in here", identity.email.domain())));
        }
        for _ in 0..TRIES {
            if let Some(entered) = self.admit(pending.tenant, &rules, &identity, source).await? {
                return Ok(entered);
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

    async fn identity_provider(&self, tenant: TenantId) -> Result<(IdentityProvider, Arc<Provider>, Client)> {
        let rules = self.tenants.identity_provider(tenant).await?;
        let rules = rules.ok_or_else(|| Error::NotFound { kind: "identity_provider", id: tenant.to_string() })?;
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
        let redirect_uri = format!("{}/api/auth/oidc/callback", self.deployment());
        let client = Client { id: rules.client_id.clone(), secret, redirect_uri };
        Ok((rules, provider, client))
    }

    /// What the addresses of the deployment begin with.
    #[must_use]
    pub fn deployment(&self) -> &str {
        self.tokens.ring().issuer()
    }

    /// Signs somebody in as whom the provider names; `None` if something changed meanwhile.
    async fn admit(
        &self,
        tenant: TenantId,
        rules: &IdentityProvider,
        identity: &Identity,
        source: &Source,
    ) -> Result<Option<Entered>> {
        let (mut change, now) = (Change::new(&self.table), self.clock.now());
        let found = self.users.by_email(&identity.email).await?;
        let place = match &found {
            Some(user) => self.memberships.find(user.id, tenant).await?,
            None => None,
        };
        let is_new = found.is_none();
        let user = found.unwrap_or_else(|| {
            // That the address is the person's own only this tenant's provider says.
            User { name: identity.name.clone(), ..User::new(identity.email.clone(), now) }
        });
        let (place, member) = if let Some(place) = place {
            place
        } else {
            if is_new {
                self.users.add(&mut change, &user)?;
            }
            self.join_by_rule(&mut change, &user, tenant, rules, source).await?
        };
        let link = Link { subject: subject(&rules.issuer, identity), added_at: member.added_at };
        let condition = "attribute_not_exists(pk) OR added_at <> :added_at OR subject = :subject";
        let values = [(":added_at", number(link.added_at.0)), (":subject", text(&link.subject))];
        let main = self.table.tenant(tenant).main();
        let linked = change.put_if(&main, &keys::provider_link(user.id), &link, condition, &values)?;
        let (mut sign_in, token) = SignIn::begin(&user, Some(tenant), true, source.clone(), now);
        sign_in.by_provider = true;
        self.sign_ins.add(&mut change, &user, &sign_in)?;
        match change.commit().await? {
            Committed::Yes => self.enter(user, Some((place, member)), &sign_in, &token).await.map(Some),
            Committed::Refused(steps) if steps == [linked] => {
                Err(refused("the provider meant somebody else by this address; the member has to be removed first"))
            }
            Committed::Refused(_) => Ok(None),
        }
    }

    /// Adds to a change that somebody becomes a member as the tenant has it.
    async fn join_by_rule(
        &self,
        change: &mut Change,
        user: &User,
        tenant: TenantId,
        rules: &IdentityProvider,
        source: &Source,
    ) -> Result<(Tenant, Member)> {
        let role = rules.default_role.ok_or_else(|| refused("only members may come; ask to be invited"))?;
        let missing = || Error::NotFound { kind: "tenant", id: tenant.to_string() };
        let found = self.tenants.find(tenant).await?.ok_or_else(missing)?;
        let now = self.clock.now();
        let (member, _) = self.memberships.add(change, user, tenant, role, now)?;
        let after = serde_json::json!({"role": role, "email": user.email.as_str()});
        let deed = Deed { action: "member.create", target: user.id.to_string(), after, ..Deed::default() };
        record(change, tenant, &user.acting(source), now, deed)?;
        Ok((found, member))
    }

    /// Fails unless somebody may be where it wants to be in the way that it comes.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`.
    pub(super) async fn check_way(&self, place: Option<&(Tenant, Member)>, by_provider: bool) -> Result<()> {
        let Some((tenant, member)) = place else { return Ok(()) };
        let rules = self.tenants.identity_provider(tenant.id).await?;
        if by_provider && rules.is_none() {
            return Err(refused("the tenant has no provider any more"));
        }
        let required = rules.is_some_and(|rules| rules.required) && member.role != Role::Owner;
        if required && !by_provider {
            let way = format!("/api/auth/oidc/{}", tenant.id);
            return Err(Error::Forbidden(format!("this tenant signs in by its identity provider, at {way}")));
        }
        Ok(())
    }
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
