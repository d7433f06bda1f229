//! People: who they are, how they prove it, and the sign-ins that they have.
//!
//! A person is known to the whole deployment and may be a member of several tenants; a sign-in is for one of them at a
//! time.

use crate::{
    audit::{Deed, Source, record},
    auth::{
        Attempt, Links, Restriction, Throttle, Tokens,
        password::{Password, Passwords, Verdict},
    },
    billing::repo::Subscriptions,
    clock::{Clock, Timestamp},
    error::{Error, Result},
    id::TenantId,
    mail::{Mail, Mailer},
    oidc::Providers,
    seal::Seal,
    store::{Change, Table},
    tenant::{Member, Tenant, Tenants},
};

mod accept;
mod account;
mod log_in;
mod membership;
mod new_password;
mod provider;
mod refresh;
mod refresh_token;
mod register;
mod second_factor;
mod sign_in;
mod staff;
mod user;
mod verify;

pub use accept::{Acceptance, Accepted};
pub use account::{Person, Profile, TenantOf};
pub use log_in::Login;
pub use membership::{Membership, Memberships};
pub use provider::{Arrival, Departure, secret_context};
pub use refresh_token::{RefreshToken, TokenHashes};
pub use register::Registration;
pub use second_factor::{Enrolment, Proof};
pub use sign_in::{SignIn, SignIns, Way};
pub use staff::{Colleague, Owner, Staff};
pub use user::{SecondFactor, User, Users};

/// What accounts are made of.
pub struct Parts {
    /// Where they are kept.
    pub table: Table,
    /// The time.
    pub clock: Clock,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Counts attempts.
    pub throttle: Throttle,
    /// Sends mail.
    pub mailer: Mailer,
    /// Signs links.
    pub links: Links,
    /// Signs access tokens.
    pub tokens: Tokens,
    /// Seals second factors.
    pub seal: Seal,
    /// Tenants' identity providers.
    pub providers: Providers,
    /// Puts new tenants on a plan.
    pub subscriptions: Subscriptions,
}

/// Accounts of people: everything that they do with their own.
#[derive(Clone)]
pub struct Accounts {
    table: Table,
    clock: Clock,
    passwords: Passwords,
    throttle: Throttle,
    mailer: Mailer,
    links: Links,
    tokens: Tokens,
    seal: Seal,
    providers: Providers,
    subscriptions: Subscriptions,
    users: Users,
    sign_ins: SignIns,
    memberships: Memberships,
    tenants: Tenants,
}

impl Accounts {
    /// The accounts in a table.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { table, clock, passwords, throttle, mailer, links, tokens, seal, providers, subscriptions } = parts;
        Self {
            users: Users::new(table.clone()),
            sign_ins: SignIns::new(table.clone()),
            memberships: Memberships::new(table.clone()),
            tenants: Tenants::new(table.clone()),
            table,
            clock,
            passwords,
            throttle,
            mailer,
            links,
            tokens,
            seal,
            providers,
            subscriptions,
        }
    }

    /// An attempt to prove who one is that may be made.
    async fn attempt(&self, user: &User, source: &Source) -> Result<Attempt> {
        self.throttle.attempt(&user.email, source.address).await
    }

    /// Fails unless it is the person's password.
    async fn check_password(&self, user: &User, password: &Password) -> Result<()> {
        match self.passwords.verify(password, user.password.as_ref()).await? {
            Verdict::Right | Verdict::RightButStale(_) => Ok(()),
            Verdict::Wrong => Err(Error::Forbidden("the password is wrong".to_owned())),
        }
    }

    /// Sends a mail that says what has happened. What has happened stays, whether or not it can be sent.
    async fn tell(&self, mail: Mail) {
        if let Err(error) = self.mailer.send(&mail).await {
            tracing::error!(error = ?error, "a mail could not be sent");
        }
    }

    /// The tenants whose audit logs tell of what a person does with its account: those that it has been a member of for
    /// longest.
    async fn witnesses(&self, user: &User) -> Result<Vec<TenantId>> {
        const MOST: usize = 20;
        let memberships = self.memberships.of(user.id).await?;
        Ok(memberships.into_iter().take(MOST).map(|membership| membership.tenant).collect())
    }
}

/// Adds to a change that a person did something with its account.
fn witnessed(
    change: &mut Change,
    by: &[TenantId],
    user: &User,
    source: &Source,
    at: Timestamp,
    action: &'static str,
) -> Result<()> {
    by.iter().try_for_each(|tenant| {
        let deed = Deed { action, target: user.id.to_string(), ..Deed::default() };
        record(change, *tenant, &user.acting(source), at, deed)
    })
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Entered {
    /// Who.
    pub user: User,
    /// Where, and as what; `None` for an operator.
    pub place: Option<(Tenant, Member)>,
    /// What there is still to do before the access token opens more than the account itself.
    pub restriction: Option<Restriction>,
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
}

impl Accounts {
    /// The tokens of a sign-in.
    async fn enter(
        &self,
        user: User,
        place: Option<(Tenant, Member)>,
        sign_in: &SignIn,
        token: &RefreshToken,
    ) -> Result<Entered> {
        let restriction = restriction(&user, place.as_ref().map(|(tenant, _)| tenant), sign_in);
        let access_token = match &place {
            None => self.tokens.operator(user.id, sign_in.id, restriction).await?,
            Some((tenant, member)) => {
                let place = Some((tenant.id, member.role));
                self.tokens.person(user.id, place, sign_in.id, restriction).await?
            }
        };
        Ok(Entered { user, place, restriction, access_token, refresh_token: token.text() })
    }
}

/// What there is still to do; nothing if a tenant's own provider answers for its person.
fn restriction(user: &User, tenant: Option<&Tenant>, sign_in: &SignIn) -> Option<Restriction> {
    if sign_in.by_provider.is_some() {
        return None;
    }
    if user.verified_at.is_none() {
        return Some(Restriction::EmailUnverified);
    }
    let once = user.required_factor().is_none() || !sign_in.second_factor;
    (once && tenant.is_some_and(|tenant| tenant.require_second_factor)).then_some(Restriction::SecondFactorMissing)
}
