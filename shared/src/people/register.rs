//! Signing up: a tenant, its owner and the owner's first sign-in come to be together or not at all.
//!
//! That an address has an account can be seen by signing up with it, in every service where signing up signs in. What can
//! be done against a stranger who tries many is done: attempts are counted, the refusal says nothing of the account and
//! takes as long, and the account's owner gets a mail.

use super::{Accounts, Entered, SignIn, User, sign_in::Way};
use crate::{
    audit::Source,
    auth::{
        Mails, Role,
        password::{NewPassword, Password},
    },
    error::{Error, Result},
    mail::{EmailAddress, Mail},
    store::{Change, Partition},
    tenant::Tenant,
};

/// Somebody who signs up.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The address to sign in with.
    pub email: EmailAddress,
    /// The password to sign in with.
    pub password: Password,
    /// What the tenant is called.
    pub tenant_name: String,
    /// What the person is called; empty if it doesn't say.
    pub name: String,
}

impl Accounts {
    /// Adds to a change that somebody signs up. If it is refused, the address has an account.
    ///
    /// # Errors
    /// `Invalid` if the password may not be chosen; `TooManyAttempts`, `Unavailable`.
    pub async fn register(&self, change: &mut Change, registration: &Registration, source: &Source) -> Result<Entered> {
        let Registration { email, password, tenant_name, name } = registration.clone();
        let password = NewPassword::new(password, &email, &[&name, &tenant_name])?;
        self.throttle.mail(&email, Mails::SignUp, source.address).await?;
        let hash = self.passwords.hash(&password).await?;
        let now = self.clock.now();
        let user = User { name, password: Some(hash), ..User::new(email, now) };
        let mut tenant = Tenant::new(tenant_name, now);
        let (sign_in, token) = SignIn::begin(&user, Some(tenant.id), false, source.clone(), now);
        self.users.add(change, &user)?;
        self.subscriptions.welcome(change, &mut tenant).await?;
        self.tenants.create(change, &tenant, &user.acting(source))?;
        let (member, _) = self.memberships.add(change, &user, tenant.id, Role::Owner, now)?;
        self.sign_ins.add(change, &user, &sign_in, Way::Password)?;
        self.enter(user, Some((tenant, member)), &sign_in, &token).await
    }

    /// What an address that nobody has registered says to be registered once more.
    #[must_use]
    pub fn address_taken() -> Error {
        Error::Conflict("this address can't be registered; sign in, or choose a new password".to_owned())
    }

    /// Tells the owner of an address that somebody tried to sign up with it.
    pub async fn tell_of_registration(&self, email: &EmailAddress) {
        self.tell(Mail::account_exists(email.clone())).await;
    }

    /// Counts that a registration comes again, like an attempt to sign in that fails: whether it gets the response that
    /// was given says whether its password is right. It is not given back, as a second factor isn't asked for.
    ///
    /// # Errors
    /// `TooManyAttempts`, `Unavailable`.
    pub async fn count_repetition(&self, email: &EmailAddress, source: &Source) -> Result<()> {
        let _failed = self.throttle.attempt(email, source.address).await?;
        Ok(())
    }

    /// Where the response to a registration is kept that is to be carried out once.
    #[must_use]
    pub fn registrations(&self, email: &EmailAddress) -> Partition {
        self.table.email(&email.hash())
    }
}
