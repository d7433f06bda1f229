//! Accepting an invitation. Whoever opens its link reads the mail of the invited address; so a person who has no account
//! yet gets one whose address is verified, and one who has shows that the account is theirs, too.

use super::{Accounts, Entered, Person, Proof, SignIn, User, second_factor::prove_twice, sign_in::Way};
use crate::{
    audit::{Deed, Source, record},
    auth::{
        Attempt,
        password::{NewPassword, Password, PasswordHash, Verdict},
    },
    clock::Timestamp,
    error::{Error, Result},
    mail::EmailAddress,
    store::{Change, Committed, keys},
    tenant::{Acceptable, Invites},
};

/// How often it is tried again while others change the same.
const TRIES: u32 = 3;

/// Somebody who accepts an invitation.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The token in the invitation's link.
    pub token: String,
    /// The account's password, or the one that it shall have; not needed of somebody who is signed in.
    pub password: Option<Password>,
    /// What the person is called, if it has no account yet.
    pub name: String,
    /// The second factor, if the account has one.
    pub proof: Option<Proof>,
}

/// Somebody who has become a member.
#[derive(Debug, Clone)]
pub enum Accepted {
    /// And is signed in.
    SignedIn(Box<Entered>),
    /// And signs in by the tenant's identity provider, at this address.
    SignInAt(String),
}

/// The account that is to become a member.
struct Account {
    user: User,
    /// The version that it has in the table; `None` if it is new.
    known: Option<u64>,
    /// Whether the second factor was shown.
    proved_twice: bool,
    way: Way,
    attempt: Option<Attempt>,
}

impl Accounts {
    /// Accepts an invitation: makes the account if there is none with its address, adds it to the tenant, and signs it in
    /// there, unless members have to sign in by the tenant's identity provider. The invitation is used up by it; of several
    /// who accept it at once one does.
    ///
    /// # Errors
    /// `Invalid` for `token` if the invitation is open no more, for `password` if one is needed or may not be chosen;
    /// `Forbidden` if whoever is signed in has another address; `Unauthenticated` if password or second factor are
    /// wrong, `SecondFactorRequired` if it isn't there; `Conflict` if the person is a member already;
    /// `TooManyAttempts`, `TenantSuspended`, `Unavailable`.
    pub async fn accept(&self, acceptance: Acceptance, person: Option<&Person>, source: &Source) -> Result<Accepted> {
        let invites = Invites::new(self.table.clone(), self.clock.clone(), self.mailer.clone(), self.links.clone());
        for _ in 0..TRIES {
            let accepted = invites.acceptable(&acceptance.token).await?;
            let (email, now) = (&accepted.invite.email, self.clock.now());
            let account = match (self.users.by_email(email).await?, person) {
                (found, Some(person)) => self.signed_in_as(found, person).await?,
                (Some(user), None) => self.proved(user, &acceptance, source, now).await?,
                (None, None) => self.new_account(email, &acceptance, now).await?,
            };
            let mut change = Change::new(&self.table);
            invites.accept(&mut change, &accepted)?;
            if let Some(accepted) = self.join(change, accepted, account, source, now).await? {
                return Ok(accepted);
            }
        }
        Err(Error::Conflict("others are changing this invitation or account at the same time; try again".to_owned()))
    }

    /// `None` if somebody else has changed something meanwhile.
    async fn join(
        &self,
        mut change: Change,
        accepted: Acceptable,
        account: Account,
        source: &Source,
        now: Timestamp,
    ) -> Result<Option<Accepted>> {
        let Acceptable { tenant, invite, .. } = accepted;
        let Account { mut user, known, proved_twice, way, attempt } = account;
        user.verified_at.get_or_insert(now);
        match known {
            None => drop(self.users.add(&mut change, &user)?),
            // Also if nothing of it changes: whoever removes people that are members nowhere must see it.
            Some(version) => {
                user.version = version + 1;
                change.replace(&self.table.user(user.id), keys::USER, &user, version)?;
            }
        }
        let (member, joined) = self.memberships.add(&mut change, &user, tenant.id, invite.role, now)?;
        let elsewhere = self.provider_required(tenant.id, member.role).await?;
        let (sign_in, token) = SignIn::begin(&user, Some(tenant.id), proved_twice, source.clone(), now);
        if !elsewhere {
            self.sign_ins.add(&mut change, &user, &sign_in, way)?;
        }
        let after = serde_json::json!({"email": user.email, "role": invite.role, "invite": invite.id});
        let deed = Deed { action: "member.add", target: user.id.to_string(), after, ..Deed::default() };
        record(&mut change, tenant.id, &user.acting(source), now, deed)?;
        match change.commit().await? {
            Committed::Yes => {}
            Committed::Refused(steps) if steps.contains(&joined) => {
                return Err(Error::Conflict("you are a member already".to_owned()));
            }
            Committed::Refused(_) => return Ok(None),
        }
        if let Some(attempt) = attempt {
            attempt.succeeded().await?;
        }
        self.tell_of_recovery(&user, way).await;
        if elsewhere {
            return Ok(Some(Accepted::SignInAt(format!("{}/api/auth/oidc/{}", self.deployment(), tenant.id))));
        }
        let entered = self.enter(user, Some((tenant, member)), &sign_in, &token).await?;
        Ok(Some(Accepted::SignedIn(Box::new(entered))))
    }

    /// The account of somebody who is signed in, if it is the invited one.
    async fn signed_in_as(&self, invited: Option<User>, person: &Person) -> Result<Account> {
        let (user, sign_in) = self.signed_in(person).await?;
        if invited.is_none_or(|invited| invited.id != user.id) {
            return Err(Error::Forbidden("this invitation is for another address than yours".to_owned()));
        }
        let (known, proved_twice) = (Some(user.version), sign_in.second_factor);
        Ok(Account { user, known, proved_twice, way: Way::Invitation, attempt: None })
    }

    /// An account of which the password was given.
    async fn proved(
        &self,
        mut user: User,
        acceptance: &Acceptance,
        source: &Source,
        now: Timestamp,
    ) -> Result<Account> {
        const WRONG: Error = Error::Unauthenticated("the password is wrong");
        let password = acceptance.password.as_ref().ok_or_else(password_needed)?;
        let attempt = self.throttle.attempt(&user.email, source.address).await?;
        match self.passwords.verify(password, user.password.as_ref()).await? {
            Verdict::Right => {}
            Verdict::RightButStale(hash) => user.password = Some(hash),
            Verdict::Wrong => return Err(WRONG),
        }
        let (opened, known) = (self.opened(&user).await?, Some(user.version));
        let proved_twice = prove_twice(&mut user, opened.as_ref(), acceptance.proof.as_ref(), now)?;
        let way = Proof::way(acceptance.proof.as_ref(), proved_twice);
        Ok(Account { user, known, proved_twice, way, attempt: Some(attempt) })
    }

    async fn new_account(&self, email: &EmailAddress, acceptance: &Acceptance, now: Timestamp) -> Result<Account> {
        let password = acceptance.password.clone().ok_or_else(password_needed)?;
        let password = NewPassword::new(password, email, &[&acceptance.name])?;
        let hash: PasswordHash = self.passwords.hash(&password).await?;
        let mut user = User::new(email.clone(), now);
        user.name.clone_from(&acceptance.name);
        user.password = Some(hash);
        Ok(Account { user, known: None, proved_twice: false, way: Way::Invitation, attempt: None })
    }
}

fn password_needed() -> Error {
    let detail = "sign in, or give the password of your account, or the one that it shall have";
    Error::invalid("password", detail)
}
