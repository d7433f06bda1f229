//! The second factor: codes by time, and recovery codes for who has lost them.

use super::{Accounts, Person, SecondFactor, User, sign_in::Way, witnessed};
use crate::{
    auth::{RecoveryCode, Restriction, TotpCode, TotpSecret, password::Password},
    clock::Timestamp,
    error::{Error, Result},
    id::UserId,
    mail::Mail,
    store::Change,
};

const WRONG: Error = Error::Unauthenticated("the code is wrong or was used before");

/// What shows the second factor.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A code of now.
    Code(TotpCode),
    /// One of the codes for emergencies, which is used up by it.
    Recovery(RecoveryCode),
}

/// A second factor that was just made: the one time that its secret is shown.
pub struct Enrolment {
    /// For people who type it into an app.
    pub secret: String,
    /// For apps, as a QR code.
    pub uri: String,
}

impl Accounts {
    /// Begins to set up a second factor. It is asked for once a code of it is shown.
    ///
    /// # Errors
    /// `TooManyAttempts`; `Forbidden` if the password is wrong, or the address isn't verified: else whoever registers
    /// another's address could lock its owner out; `Conflict` if there is one; `Unauthenticated` if the sign-in is over;
    /// `Unavailable`.
    pub async fn begin_second_factor(&self, person: &Person, password: &Password) -> Result<Enrolment> {
        let user = self.user(person).await?;
        let attempt = self.attempt(&user, &person.source).await?;
        self.check_password(&user, password).await?;
        attempt.succeeded().await?;
        if user.verified_at.is_none() {
            return Err(Error::Restricted(Restriction::EmailUnverified));
        }
        let secret = TotpSecret::random();
        let sealed = self.seal.seal(&context(user.id), secret.as_bytes()).await?;
        let edit = |user: &mut User, _: &mut Change| {
            if user.required_factor().is_some() {
                return Err(Error::Conflict("there is a second factor; turn it off first".to_owned()));
            }
            let secret = sealed.clone();
            user.second_factor =
                Some(SecondFactor { secret, confirmed_at: None, last_step: None, recovery: Vec::new() });
            Ok(())
        };
        let (user, ()) = self.users.change(user, edit).await?;
        Ok(Enrolment { secret: secret.text(), uri: secret.uri("LMO", &user.email) })
    }

    /// Shows a code of the second factor that is being set up: from now on it is asked for. The recovery codes, which are
    /// shown this once. The sign-in counts as proved twice.
    ///
    /// # Errors
    /// `Conflict` if none is being set up; `Forbidden` if the code is wrong; `Unauthenticated` if the sign-in is over;
    /// `Unavailable`.
    pub async fn confirm_second_factor(&self, person: &Person, code: TotpCode) -> Result<Vec<RecoveryCode>> {
        let (user, sign_in) = self.signed_in(person).await?;
        let (by, opened, now) = (self.witnesses(&user).await?, self.opened(&user).await?, self.clock.now());
        let codes = RecoveryCode::random();
        let edit = |user: &mut User, change: &mut Change| {
            let none = || Error::Conflict("no second factor is being set up".to_owned());
            let (factor, secret) = opened.as_ref().and_then(|opened| opened.of(user)).ok_or_else(none)?;
            if factor.confirmed_at.is_some() {
                return Err(none());
            }
            let step = secret.check(code, now, None);
            factor.last_step = Some(step.ok_or_else(|| Error::Forbidden("the code is wrong".to_owned()))?);
            factor.confirmed_at = Some(now);
            factor.recovery = codes.iter().map(RecoveryCode::hash).collect();
            let mut sign_in = sign_in.clone();
            sign_in.second_factor = true;
            self.sign_ins.replace(change, &mut sign_in)?;
            witnessed(change, &by, user, &person.source, now, "totp.enable")
        };
        let (user, ()) = self.users.change(user, edit).await?;
        self.tell(Mail::second_factor_changed(user.email, true)).await;
        Ok(codes)
    }

    /// Turns the second factor off.
    ///
    /// # Errors
    /// `TooManyAttempts`; `Forbidden` if the password is wrong, `Unauthenticated` if the proof is, or the sign-in is
    /// over; `Conflict` if there is none; `Unavailable`.
    pub async fn end_second_factor(&self, person: &Person, password: &Password, proof: &Proof) -> Result<()> {
        let user = self.user(person).await?;
        let attempt = self.attempt(&user, &person.source).await?;
        self.check_password(&user, password).await?;
        let (by, opened, now) = (self.witnesses(&user).await?, self.opened(&user).await?, self.clock.now());
        let edit = |user: &mut User, change: &mut Change| {
            if !prove_twice(user, opened.as_ref(), Some(proof), now)? {
                return Err(Error::Conflict("there is no second factor".to_owned()));
            }
            user.second_factor = None;
            witnessed(change, &by, user, &person.source, now, "totp.disable")
        };
        let (user, ()) = self.users.change(user, edit).await?;
        attempt.succeeded().await?;
        self.tell(Mail::second_factor_changed(user.email, false)).await;
        Ok(())
    }

    /// Tells a person that one of its recovery codes was used, if that is how it came.
    pub(super) async fn tell_of_recovery(&self, user: &User, way: Way) {
        if way == Way::RecoveryCode {
            let left = user.second_factor.as_ref().map_or(0, |factor| factor.recovery.len());
            self.tell(Mail::recovery_code_used(user.email.clone(), left)).await;
        }
    }

    /// The secret of a person's second factor, if there is one or one is being set up.
    pub(super) async fn opened(&self, user: &User) -> Result<Option<Opened>> {
        let Some(factor) = &user.second_factor else { return Ok(None) };
        let bytes = self.seal.open(&context(user.id), &factor.secret).await?;
        let secret = TotpSecret::from_bytes(&bytes).ok_or_else(|| Error::internal("a sealed secret is none"))?;
        Ok(Some(Opened { sealed: factor.secret.clone(), secret }))
    }
}

/// A secret that was opened.
pub(super) struct Opened {
    sealed: String,
    secret: TotpSecret,
}

impl Opened {
    /// The second factor that it is the secret of, if the person still has it.
    fn of<'a>(&'a self, user: &'a mut User) -> Option<(&'a mut SecondFactor, &'a TotpSecret)> {
        let factor = user.second_factor.as_mut().filter(|factor| factor.secret == self.sealed)?;
        Some((factor, &self.secret))
    }
}

/// Shows a person's second factor and uses the proof up, in what is then written of the person. Whether there is one.
///
/// # Errors
/// `SecondFactorRequired` if there is one and no proof; `Unauthenticated` if the proof is wrong or used up.
pub(super) fn prove_twice(
    user: &mut User,
    opened: Option<&Opened>,
    proof: Option<&Proof>,
    now: Timestamp,
) -> Result<bool> {
    if user.required_factor().is_none() {
        return Ok(false);
    }
    let proof = proof.ok_or(Error::SecondFactorRequired)?;
    let (factor, secret) = opened.and_then(|opened| opened.of(user)).ok_or(WRONG)?;
    match proof {
        Proof::Code(code) => {
            factor.last_step = Some(secret.check(*code, now, factor.last_step).ok_or(WRONG)?);
        }
        Proof::Recovery(code) => {
            factor.recovery.remove(code.find(&factor.recovery).ok_or(WRONG)?);
        }
    }
    Ok(true)
}

impl Proof {
    /// How somebody came who gave the password and maybe this, which `counted` if it was asked for.
    pub(super) fn way(proof: Option<&Self>, counted: bool) -> Way {
        match proof {
            Some(Self::Recovery(_)) if counted => Way::RecoveryCode,
            Some(Self::Recovery(_) | Self::Code(_)) | None => Way::Password,
        }
    }
}

/// What a sealed secret is bound to.
fn context(id: UserId) -> String {
    format!("totp {id}")
}
