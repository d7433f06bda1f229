//! Whether mail to a person's address reaches the person.

use super::{Accounts, Person, User, witnessed};
use crate::{
    audit::Source,
    auth::{Mails, Purpose},
    error::{Error, Result},
    id::UserId,
    mail::Mail,
    store::Change,
};

impl Accounts {
    /// Sends a link that shows that mail to a person's address reaches it.
    pub async fn ask_to_verify(&self, user: &User) {
        match self.links.make(Purpose::VerifyEmail, user.id, 0).await {
            Ok(link) => {
                let hours = Purpose::VerifyEmail.life().as_secs() / 3_600;
                self.tell(Mail::verify(user.email.clone(), &link, hours)).await;
            }
            Err(error) => tracing::error!(error = ?error, "a link could not be made"),
        }
    }

    /// Sends the link once more.
    ///
    /// # Errors
    /// `Conflict` if there is nothing to show any more; `Unauthenticated` if the sign-in is over; `TooManyAttempts`,
    /// `Unavailable`.
    pub async fn verify_again(&self, person: &Person) -> Result<()> {
        let user = self.user(person).await?;
        if user.verified_at.is_some() {
            return Err(Error::Conflict("the address is verified already".to_owned()));
        }
        self.throttle.mail(&user.email, Mails::Verify, person.source.address).await?;
        self.ask_to_verify(&user).await;
        Ok(())
    }

    /// Somebody opened the link: mail to the address reaches its person.
    ///
    /// # Errors
    /// `Invalid` if the link is not valid, or was used, or has expired; `Unavailable`.
    pub async fn verify(&self, token: &str, source: &Source) -> Result<()> {
        let (id, _): (UserId, _) = self.links.open(Purpose::VerifyEmail, token).await?;
        let user = self.of_link(id).await?;
        let (by, now) = (self.witnesses(&user).await?, self.clock.now());
        let edit = |user: &mut User, change: &mut Change| {
            if user.verified_at.replace(now).is_some() {
                return Err(spent());
            }
            witnessed(change, &by, user, source, now, "user.verify")
        };
        let (user, ()) = self.users.change(user, edit).await?;
        self.throttle.trust(&user.email, source.address).await
    }

    /// The person that a link was sent to.
    pub(super) async fn of_link(&self, id: UserId) -> Result<User> {
        self.users.find(id).await?.ok_or_else(spent)
    }
}

/// A link that is good no more, for whatever reason.
pub(super) fn spent() -> Error {
    Error::invalid("token", "the link is not valid, or was used, or is too old")
}
