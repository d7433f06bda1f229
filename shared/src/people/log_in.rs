//! Signing in.

use super::{Accounts, Entered, Proof, SignIn, User, second_factor::prove_twice};
use crate::{
    audit::Source,
    auth::password::{Password, Verdict},
    error::{Error, Result},
    id::TenantId,
    mail::EmailAddress,
    store::Change,
};

/// The same for an account that doesn't exist and for a wrong password: nobody learns which.
const WRONG: Error = Error::Unauthenticated("the e-mail address or the password is wrong");

/// Somebody who signs in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The account's address.
    pub email: EmailAddress,
    /// Its password.
    pub password: Password,
    /// The tenant to work in; the one that the person has been a member of for longest if `None`.
    pub tenant: Option<TenantId>,
    /// The second factor, if the person has one.
    pub proof: Option<Proof>,
}

impl Accounts {
    /// Signs somebody in. It counts as a failed attempt until everything is proved, and does the same work for an
    /// account that doesn't exist.
    ///
    /// # Errors
    /// `TooManyAttempts`; `Unauthenticated` if password or second factor are wrong, `SecondFactorRequired` if
    /// it isn't there; `NotFound` if the person is no member of the tenant, `Forbidden` if of none; `Unavailable`.
    pub async fn log_in(&self, login: Login, source: &Source) -> Result<Entered> {
        let attempt = self.throttle.attempt(&login.email, source.address).await?;
        let found = self.users.by_email(&login.email).await?;
        let kept = found.as_ref().and_then(|user| user.password.clone());
        let verdict = self.passwords.verify(&login.password, kept.as_ref()).await?;
        let user = found.filter(|_| verdict != Verdict::Wrong).ok_or(WRONG)?;
        let place = self.memberships.place(&user, login.tenant).await?;
        self.check_way(&user, place.as_ref(), None).await?;
        let tenant = place.as_ref().map(|(tenant, _)| tenant.id);
        let (opened, now) = (self.opened(&user).await?, self.clock.now());
        let edit = |user: &mut User, change: &mut Change| {
            // Somebody may have chosen another one meanwhile.
            if user.password != kept {
                return Err(WRONG);
            }
            if let Verdict::RightButStale(hash) = &verdict {
                user.password = Some(hash.clone());
            }
            let proved = prove_twice(user, opened.as_ref(), login.proof.as_ref(), now)?;
            let (sign_in, token) = SignIn::begin(user, tenant, proved, source.clone(), now);
            let way = Proof::way(login.proof.as_ref(), proved);
            self.sign_ins.add(change, user, &sign_in, way)?;
            Ok((sign_in, token, way))
        };
        let (user, (sign_in, token, way)) = self.users.change(user, edit).await?;
        attempt.succeeded().await?;
        self.tell_of_recovery(&user, way).await;
        self.enter(user, place, &sign_in, &token).await
    }
}
