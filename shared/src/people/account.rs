//! What somebody who is signed in sees and does of its own account.

use futures_util::future;

use super::{Accounts, SignIn, User, restriction, witnessed};
use crate::{
    audit::Source,
    auth::{Restriction, Role},
    error::{Error, Result},
    id::{SignInId, TenantId, UserId},
    store::{Change, Committed},
};

const OVER: Error = Error::Unauthenticated("this session has ended; sign in again");

/// Somebody who presents an access token, whatever it is restricted to.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who.
    pub user: UserId,
    /// The sign-in that the token is of.
    pub sign_in: SignInId,
    /// From where it calls.
    pub source: Source,
}

/// What is known of a person.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The person.
    pub user: User,
    /// The tenant that the sign-in is for; `None` for an operator's.
    pub tenant: Option<TenantId>,
    /// What there is still to do before an access token opens more than the account itself.
    pub restriction: Option<Restriction>,
    /// The tenants that it is a member of, the first that it was added to first.
    pub tenants: Vec<TenantOf>,
}

/// A tenant that a person is a member of.
#[derive(Debug, Clone)]
pub struct TenantOf {
    /// Which.
    pub id: TenantId,
    /// What it is called.
    pub name: String,
    /// What the person is in it.
    pub role: Role,
    /// Whether its members have to prove who they are in a second way.
    pub require_second_factor: bool,
}

impl Accounts {
    /// A person and its sign-in, if that goes on and opens the account: what a tenant's provider says doesn't.
    pub(super) async fn signed_in(&self, person: &Person) -> Result<(User, SignIn)> {
        const ONE_TENANT: &str =
            "this session is good in its tenant alone; sign in with your password to do something with your account";
        let found = self.alive(person).await?;
        if found.1.by_provider.is_some() { Err(Error::Forbidden(ONE_TENANT.to_owned())) } else { Ok(found) }
    }

    /// A person and its sign-in, if that goes on.
    async fn alive(&self, person: &Person) -> Result<(User, SignIn)> {
        let found = self.sign_ins.with_user(person.user, person.sign_in).await?;
        found.filter(|(user, sign_in)| sign_in.is_alive(user, self.clock.now())).ok_or(OVER)
    }

    /// The person, if its sign-in goes on.
    ///
    /// # Errors
    /// `Unauthenticated`; `Unavailable`.
    pub async fn user(&self, person: &Person) -> Result<User> {
        self.signed_in(person).await.map(|(user, _)| user)
    }

    /// What a person sees of itself.
    ///
    /// # Errors
    /// `Unauthenticated` if the sign-in is over; `Unavailable`.
    pub async fn profile(&self, person: &Person) -> Result<Profile> {
        const MOST: usize = 100;
        let (user, sign_in) = self.alive(person).await?;
        let mut memberships = self.memberships.of(user.id).await?;
        if sign_in.by_provider.is_some() {
            memberships.retain(|membership| Some(membership.tenant) == sign_in.tenant);
        }
        let found = memberships.iter().take(MOST).map(|membership| self.memberships.find(user.id, membership.tenant));
        let found = future::try_join_all(found).await?;
        let here = found.iter().flatten().map(|(tenant, _)| tenant).find(|tenant| Some(tenant.id) == sign_in.tenant);
        let restriction = restriction(&user, here, &sign_in);
        let tenants = found.into_iter().flatten().map(|(tenant, member)| TenantOf {
            id: tenant.id,
            name: tenant.name,
            role: member.role,
            require_second_factor: tenant.require_second_factor,
        });
        let tenants = tenants.collect();
        Ok(Profile { user, tenant: sign_in.tenant, restriction, tenants })
    }

    /// Changes what a person is called, in its tenants too.
    ///
    /// # Errors
    /// `Unauthenticated` if the sign-in is over; `Unavailable`.
    pub async fn rename(&self, person: &Person, name: &str) -> Result<()> {
        let user = self.user(person).await?;
        let edit = |user: &mut User, _: &mut Change| {
            name.clone_into(&mut user.name);
            Ok(())
        };
        let (user, ()) = self.users.change(user, edit).await?;
        self.memberships.rename(&user, &person.source, self.clock.now()).await
    }

    /// The person's sign-ins that go on, the newest first.
    ///
    /// # Errors
    /// `Unauthenticated` if this one is over; `Unavailable`.
    pub async fn sign_ins(&self, person: &Person) -> Result<Vec<SignIn>> {
        let user = self.user(person).await?;
        self.sign_ins.of(&user, self.clock.now()).await
    }

    /// Ends one of the person's sign-ins.
    ///
    /// # Errors
    /// `NotFound` if it is over or somebody else's; `Unauthenticated` if this one is over; `Unavailable`.
    pub async fn end_sign_in(&self, person: &Person, id: SignInId) -> Result<()> {
        self.user(person).await?;
        let none = || Error::NotFound { kind: "session", id: id.to_string() };
        let (user, sign_in) = self.sign_ins.with_user(person.user, id).await?.ok_or_else(none)?;
        if !sign_in.is_alive(&user, self.clock.now()) {
            return Err(none());
        }
        self.end(&user, &sign_in, "session.end", &person.source).await?.or(none)
    }

    /// Ends a sign-in, if it isn't over.
    pub(super) async fn end(
        &self,
        user: &User,
        sign_in: &SignIn,
        action: &'static str,
        source: &Source,
    ) -> Result<Committed> {
        let mut change = Change::new(&self.table);
        self.sign_ins.end(&mut change, user.id, sign_in.id)?;
        sign_in.record(&mut change, action, user, source, self.clock.now())?;
        change.commit().await
    }

    /// Ends all sign-ins of a person, this one too.
    ///
    /// # Errors
    /// `Unauthenticated` if this one is over; `Unavailable`.
    pub async fn sign_out_everywhere(&self, person: &Person) -> Result<()> {
        let user = self.user(person).await?;
        let (by, now) = (self.witnesses(&user).await?, self.clock.now());
        let edit = |user: &mut User, change: &mut Change| {
            user.sign_out_everywhere();
            witnessed(change, &by, user, &person.source, now, "session.end_all")
        };
        self.users.change(user, edit).await.map(drop)
    }
}
