//! Links in mails: signed, for one purpose, and good once because whoever opens one changes the state that it was made in.

use std::{fmt::Display, time::Duration};

use super::{
    LEEWAY,
    claims::{LinkClaims, Purpose},
    id,
    ring::Ring,
};
use crate::error::{Error, Result};

const TYPE: &str = "link+jwt";

impl Purpose {
    /// How long a link is good.
    #[must_use]
    pub fn life(self) -> Duration {
        match self {
            Self::VerifyEmail => Duration::from_hours(24),
            Self::ResetPassword => Duration::from_hours(1),
            Self::Invite => Duration::from_hours(7 * 24),
        }
    }

    /// The page that it leads to.
    fn page(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::ResetPassword => "reset-password",
            Self::Invite => "accept-invite",
        }
    }
}

/// Makes and opens links. Clones share what they know.
#[derive(Clone)]
pub struct Links {
    ring: Ring,
}

impl Links {
    /// Links that are signed by the keys of a ring.
    #[must_use]
    pub fn new(ring: Ring) -> Self {
        Self { ring }
    }

    /// A URL for the mail: `<issuer>/<page>#token=<token>`. Behind the `#` it reaches no server and no log. `state` is the
    /// state of the subject that it is made in.
    ///
    /// # Errors
    /// `Unavailable` if the keys can't be read; `Internal` if there are none.
    pub async fn make(&self, purpose: Purpose, subject: impl Display, state: u64) -> Result<String> {
        let (now, issuer) = (self.ring.clock().now(), self.ring.issuer());
        let claims = LinkClaims {
            iss: issuer.to_owned(),
            aud: issuer.to_owned(),
            sub: subject.to_string(),
            purpose,
            state,
            jti: id(),
            iat: now.seconds(),
            exp: now.after(purpose.life()).seconds(),
        };
        let token = self.ring.sign(TYPE, &claims).await?;
        Ok(format!("{issuer}/{}#token={token}", purpose.page()))
    }

    /// The subject of a link's token and the state that it was made in. Whoever opens it compares that with the state that
    /// the subject is in.
    ///
    /// # Errors
    /// `Invalid` for `token` if it is not valid, for another purpose, or too old; `Unavailable`.
    pub async fn open<T: TryFrom<String>>(&self, purpose: Purpose, token: &str) -> Result<(T, u64)> {
        let wrong = || Error::invalid("token", "the link is not valid, or was used, or is too old");
        let (_, claims): (_, LinkClaims) = self.ring.open(TYPE, token).await?.ok_or_else(wrong)?;
        let issuer = self.ring.issuer();
        let ours = claims.iss == issuer && claims.aud == issuer && claims.purpose == purpose;
        if !ours || claims.exp <= self.ring.clock().now().before(LEEWAY).seconds() {
            return Err(wrong());
        }
        Ok((T::try_from(claims.sub).map_err(|_| wrong())?, claims.state))
    }
}
