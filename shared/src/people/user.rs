//! A person, and the one way to change what is kept of one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    audit::{Actor, Source, Who},
    auth::{RecoveryHash, TotpStep, password::PasswordHash},
    clock::Timestamp,
    error::{Error, Result},
    id::UserId,
    mail::EmailAddress,
    store::{Change, Committed, Step, Table, keys},
};

/// How often a change is tried again while others change the same person.
const ATTEMPTS: u32 = 8;

/// A person: one account, which may be a member of several tenants.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its identifier.
    pub id: UserId,
    /// Its address, which it signs in with.
    pub email: EmailAddress,
    /// What people call it; empty if it hasn't said.
    #[serde(default)]
    pub name: String,
    /// Its password; `None` if it has none, so that it signs in by an identity provider or by a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
    /// Since when it is known that mail to the address reaches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// Its second factor, once it has begun to set one up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<SecondFactor>,
    /// Whether it works for the operator.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operator: bool,
    /// Sign-ins of another epoch are over: counting it up signs out everywhere, in the same write as whatever is the
    /// reason, and past every race.
    #[serde(default)]
    pub epoch: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Counts its changes, from 1.
    pub version: u64,
}

/// Codes by time (RFC 6238).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactor {
    /// The secret, sealed.
    pub secret: String,
    /// Since when it is asked for; `None` while the person has yet to show a code of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// The step of the last code that was accepted: no code is taken twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_step: Option<TotpStep>,
    /// What is kept of the recovery codes that are left.
    #[serde(default)]
    pub recovery: Vec<RecoveryHash>,
}

impl User {
    /// A person who has just come, with nothing proved.
    #[must_use]
    pub fn new(email: EmailAddress, at: Timestamp) -> Self {
        Self {
            id: UserId::new(at),
            email,
            name: String::new(),
            password: None,
            verified_at: None,
            second_factor: None,
            operator: false,
            epoch: 0,
            created_at: at,
            version: 1,
        }
    }

    /// The second factor, if it is asked for.
    #[must_use]
    pub fn required_factor(&self) -> Option<&SecondFactor> {
        self.second_factor.as_ref().filter(|factor| factor.confirmed_at.is_some())
    }

    /// What it is called, if it has said.
    #[must_use]
    pub fn known_name(&self) -> Option<String> {
        Some(self.name.clone()).filter(|name| !name.is_empty())
    }

    /// It acts, from there.
    #[must_use]
    pub fn acting(&self, source: &Source) -> Actor {
        Actor { who: Who::User { id: self.id, email: self.email.to_string() }, source: source.clone() }
    }

    /// Ends all sign-ins.
    pub fn sign_out_everywhere(&mut self) {
        self.epoch += 1;
    }
}

/// No secret, and nothing that a secret can be guessed by.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("version", &self.version).finish_non_exhaustive()
    }
}

/// Whose an address is.
#[derive(Serialize, Deserialize)]
struct Owner {
    user: UserId,
}

/// People in the table.
#[derive(Debug, Clone)]
pub struct Users {
    table: Table,
}

impl Users {
    /// The people in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// A person.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn find(&self, id: UserId) -> Result<Option<User>> {
        self.table.user(id).find(keys::USER).await
    }

    /// A person who is known to exist.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` if the table can't be reached.
    pub async fn get(&self, id: UserId) -> Result<User> {
        self.find(id).await?.ok_or_else(|| Error::NotFound { kind: "user", id: id.to_string() })
    }

    /// The person with an address. Reads as much if there is none, so that its time tells nothing.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn by_email(&self, email: &EmailAddress) -> Result<Option<User>> {
        let owner: Option<Owner> = self.table.email(&email.hash()).find(keys::USER).await?;
        let id = owner.map_or_else(|| UserId::new(Timestamp(0)), |owner| owner.user);
        self.find(id).await
    }

    /// Adds a person to a change; the step is refused if the address is somebody's.
    ///
    /// # Errors
    /// `Internal` if it can't be written as an item.
    pub fn add(&self, change: &mut Change, user: &User) -> Result<Step> {
        change.put_new(&self.table.user(user.id), keys::USER, user)?;
        change.put_new(&self.table.email(&user.email.hash()), keys::USER, &Owner { user: user.id })
    }

    /// Changes a person, with whatever `edit` adds to the change; both again on the newest version if somebody else was
    /// quicker. What an edit leaves as it was is not written. The person as it is then, and what `edit` returned.
    ///
    /// # Errors
    /// What `edit` fails with; `NotFound` if the person is gone, `Conflict` if something else of the change was refused;
    /// `Unavailable` if the table can't be reached.
    pub async fn change<T>(
        &self,
        mut user: User,
        mut edit: impl FnMut(&mut User, &mut Change) -> Result<T>,
    ) -> Result<(User, T)> {
        for _ in 0..ATTEMPTS {
            let (mut change, before) = (Change::new(&self.table), user.clone());
            let made = edit(&mut user, &mut change)?;
            let mut own = None;
            if user != before {
                user.version += 1;
                own = Some(change.replace(&self.table.user(user.id), keys::USER, &user, before.version)?);
            }
            let committed = if change.is_empty() { Committed::Yes } else { change.commit().await? };
            match committed {
                Committed::Yes => return Ok((user, made)),
                Committed::Refused(steps) if own.is_some_and(|own| steps.contains(&own)) => {}
                Committed::Refused(_) => return Err(Error::Conflict("it has changed meanwhile".to_owned())),
            }
            user = self.get(user.id).await?;
        }
        Err(Error::Unavailable("a person is contended".into()))
    }
}
