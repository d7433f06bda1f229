//! Signing up: a tenant, its owner and the owner's first sign-in come to be together or not at all.
//!
//! That an address has an account can be seen by signing up with it, in every service where signing up signs in. What can
//! be done against a stranger who tries many is done: attempts are counted, the refusal says nothing of the account and
//! takes as long, and the account's owner gets a mail.

use super::{Accounts, Entered, SignIn, User, address};
use crate::{
    audit::Source,
    auth::{
        Role,
        password::{NewPassword, Password},
    },
    error::{Error, Result},
    mail::{EmailAddress, Mail},
    store::{Change, Committed},
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
    /// Signs somebody up, and sends a mail to find out whether the address is its own.
    ///
    /// # Errors
    /// `Invalid` if the password may not be chosen, `TooManyAttempts`, `Conflict` if the address has an account;
    /// `Unavailable`.
    pub async fn register(&self, registration: Registration, source: &Source) -> Result<Entered> {
        let Registration { email, password, tenant_name, name } = registration;
        let password = NewPassword::new(password, &email, &[&name, &tenant_name])?;
        self.throttle.mail(&email, address(source)).await?;
        let hash = self.passwords.hash(&password).await?;
        let now = self.clock.now();
        let user = User { name, password: Some(hash), ..User::new(email, now) };
        let tenant = Tenant::new(tenant_name, now);
        let (sign_in, token) = SignIn::begin(&user, Some(tenant.id), false, source.clone(), now);
        let mut change = Change::new(&self.table);
        let addressed = self.users.add(&mut change, &user)?;
        self.tenants.create(&mut change, &tenant, &user.acting(source))?;
        let (member, _) = self.memberships.add(&mut change, &user, tenant.id, Role::Owner, now)?;
        self.sign_ins.add(&mut change, &user, &sign_in)?;
        match change.commit().await? {
            Committed::Yes => {}
            Committed::Refused(steps) if steps.contains(&addressed) => {
                self.tell(Mail::account_exists(user.email)).await;
                let detail = "this address can't be registered; sign in, or choose a new password";
                return Err(Error::Conflict(detail.to_owned()));
            }
            Committed::Refused(_) => return Err(Error::internal("a new id was taken")),
        }
        self.ask_to_verify(&user).await;
        self.enter(user, Some((tenant, member)), &sign_in, &token).await
    }
}
