//! Changing a password, and choosing a new one without the old.

use super::{Accounts, Person, User, verify::spent, witnessed};
use crate::{
    audit::Source,
    auth::{
        Mails, Purpose,
        password::{NewPassword, Password},
    },
    error::{Error, Result},
    mail::{EmailAddress, Mail},
    store::Change,
};

impl Accounts {
    /// Changes the password of somebody who knows it. All other sign-ins are over.
    ///
    /// # Errors
    /// `TooManyAttempts`; `Forbidden` if the old one is wrong, `Invalid` if the new one may not be chosen;
    /// `Unauthenticated` if the sign-in is over; `Unavailable`.
    pub async fn change_password(&self, person: &Person, old: &Password, new: Password) -> Result<()> {
        let (user, sign_in) = self.signed_in(person).await?;
        let attempt = self.attempt(&user, &person.source).await?;
        self.check_password(&user, old).await?;
        attempt.succeeded().await?;
        let new = NewPassword::new(new, &user.email, &[&user.name])?;
        let (hash, known) = (self.passwords.hash(&new).await?, user.password.clone());
        let (by, now) = (self.witnesses(&user).await?, self.clock.now());
        let edit = |user: &mut User, change: &mut Change| {
            if user.password != known {
                return Err(Error::Conflict("the password has changed meanwhile".to_owned()));
            }
            user.password = Some(hash.clone());
            user.sign_out_everywhere();
            // But not here.
            let mut sign_in = sign_in.clone();
            sign_in.epoch = user.epoch;
            self.sign_ins.replace(change, &mut sign_in)?;
            witnessed(change, &by, user, &person.source, now, "password.change")
        };
        let (user, ()) = self.users.change(user, edit).await?;
        self.tell(Mail::password_changed(user.email)).await;
        Ok(())
    }

    /// Sends a link to choose a new password; to an address without an account a mail that says so, which nobody else
    /// can see and takes as long.
    ///
    /// # Errors
    /// `TooManyAttempts`; `Unavailable`.
    pub async fn forgot_password(&self, email: EmailAddress, source: &Source) -> Result<()> {
        self.throttle.mail(&email, Mails::Reset, source.address).await?;
        let mail = match self.users.by_email(&email).await? {
            None => Mail::no_account(email),
            Some(user) => {
                let link = self.links.make(Purpose::ResetPassword, user.id, user.epoch).await?;
                Mail::reset(email, &link, Purpose::ResetPassword.life().as_secs() / 60)
            }
        };
        self.tell(mail).await;
        Ok(())
    }

    /// Somebody who opened the link chooses a new password. All sign-ins are over, and so are all such links. Whoever
    /// reads the mail owns the address.
    ///
    /// # Errors
    /// `Invalid` if the link is not valid, or was used, or has expired, or if the password may not be chosen;
    /// `Unavailable`.
    pub async fn reset_password(&self, token: &str, password: Password, source: &Source) -> Result<()> {
        let (id, epoch) = self.links.open(Purpose::ResetPassword, token).await?;
        let user = self.of_link(id).await?;
        let new = NewPassword::new(password, &user.email, &[&user.name])?;
        let hash = self.passwords.hash(&new).await?;
        let (by, now) = (self.witnesses(&user).await?, self.clock.now());
        let edit = |user: &mut User, change: &mut Change| {
            if user.epoch != epoch {
                return Err(spent());
            }
            user.password = Some(hash.clone());
            user.verified_at.get_or_insert(now);
            user.sign_out_everywhere();
            witnessed(change, &by, user, source, now, "password.reset")
        };
        let (user, ()) = self.users.change(user, edit).await?;
        self.throttle.trust(&user.email, source.address).await?;
        self.tell(Mail::password_changed(user.email)).await;
        Ok(())
    }
}
