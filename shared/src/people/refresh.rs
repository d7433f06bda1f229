//! Going on and signing out.

use super::{Accounts, Entered, RefreshToken, refresh_token::Presented};
use crate::{
    audit::Source,
    error::{Error, Result},
    id::TenantId,
    store::{Change, Committed},
};

const WRONG: Error = Error::Unauthenticated("the refresh token is not valid; sign in again");
const USED: Error =
    Error::Unauthenticated("the refresh token was used before, so its session was ended; sign in again");

/// How often a token is exchanged again whose sign-in was changed by something else meanwhile.
const TRIES: u32 = 5;

impl Accounts {
    /// Exchanges a refresh token for new tokens, in the same tenant or in another one of the person's. A token is good
    /// once: if it comes again, whoever brings it, the sign-in is over (RFC 9700 section 4.14.2).
    ///
    /// # Errors
    /// `Unauthenticated` if the token is not valid, or was used; `NotFound` if the person is no member of the tenant,
    /// `Forbidden` if it has to sign in otherwise there; `Unavailable`.
    pub async fn refresh(&self, token: &str, wanted: Option<TenantId>, source: &Source) -> Result<Entered> {
        let token = RefreshToken::parse(token).ok_or(WRONG)?;
        let next = token.next();
        for _ in 0..TRIES {
            let now = self.clock.now();
            let (user, mut sign_in, presented) = self.sign_ins.of_token(&token, now).await?.ok_or(WRONG)?;
            match presented {
                Presented::Foreign => return Err(WRONG),
                Presented::Used => {
                    let ended = self.end(&user, &sign_in, "session.reuse_detected", source).await?;
                    return ended.or(|| WRONG).and(Err(USED));
                }
                Presented::Current => {}
            }
            if sign_in.by_provider.is_some() && wanted.is_some() && wanted != sign_in.tenant {
                return Err(Error::Forbidden("this session is good in its own tenant alone; sign in there".to_owned()));
            }
            let place = self.memberships.place(&user, wanted.or(sign_in.tenant)).await?;
            self.check_way(&user, place.as_ref(), sign_in.by_provider).await?;
            let tenant = place.as_ref().map(|(tenant, _)| tenant.id);
            let moves = tenant != sign_in.tenant;
            // Whoever was removed and added again since is a new member, and the sign-in is of the old one.
            if !moves && place.as_ref().is_some_and(|(_, member)| member.added_at > sign_in.used_at) {
                return Err(WRONG);
            }
            sign_in.tenant = tenant;
            sign_in.renew(&next, source.clone(), now);
            let mut change = Change::new(&self.table);
            self.sign_ins.replace(&mut change, &mut sign_in)?;
            if moves {
                sign_in.record(&mut change, "session.switch", &user, source, now)?;
            }
            if change.commit().await? == Committed::Yes {
                return self.enter(user, place, &sign_in, &next).await;
            }
        }
        Err(Error::Unavailable("a sign-in is contended".into()))
    }

    /// Signs out: ends the sign-in that a refresh token is or was of. What ends nothing is no error (RFC 7009 section 2.2).
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sign_out(&self, token: &str, source: &Source) -> Result<()> {
        let Some(token) = RefreshToken::parse(token) else { return Ok(()) };
        match self.sign_ins.of_token(&token, self.clock.now()).await? {
            None | Some((_, _, Presented::Foreign)) => Ok(()),
            Some((user, sign_in, Presented::Current | Presented::Used)) => {
                let _already = self.end(&user, &sign_in, "session.end", source).await?;
                Ok(())
            }
        }
    }
}
