//! Those who work for the operator, and how tenants that they create get their owners.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Memberships, User, Users};
use crate::{
    audit::{Actor, Deed, Versioned, record, record_for_operators},
    auth::{Links, Purpose, Role},
    clock::Timestamp,
    error::{Error, Result},
    id::UserId,
    mail::{EmailAddress, Mail, Mailer},
    store::{Change, Table, keys},
    tenant::Tenant,
};

/// Somebody who works for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colleague {
    /// Who.
    pub user: UserId,
    /// The address that it signs in with.
    pub email: EmailAddress,
    /// Since when.
    pub added_at: Timestamp,
}

/// Those who work for the operator.
#[derive(Clone)]
pub struct Staff {
    table: Table,
    users: Users,
    memberships: Memberships,
    links: Links,
}

/// Somebody who becomes the owner of a tenant.
#[derive(Debug, Clone)]
pub struct Owner {
    /// Who.
    pub user: User,
    /// Whether it had no account before.
    pub is_new: bool,
}

impl Staff {
    /// The people in `table`, whose links are signed by `links`.
    #[must_use]
    pub fn new(table: Table, links: Links) -> Self {
        let (users, memberships) = (Users::new(table.clone()), Memberships::new(table.clone()));
        Self { table, users, memberships, links }
    }

    /// Lets somebody work for the operator. Returns the person, and a link to choose a password if it has none.
    ///
    /// # Errors
    /// `Conflict` if it does already, or others are quicker; `Unavailable`.
    pub async fn add(&self, email: &EmailAddress, actor: &Actor, at: Timestamp) -> Result<(User, Option<String>)> {
        let record = |user: &User, change: &mut Change| {
            let colleague = Colleague { user: user.id, email: user.email.clone(), added_at: at };
            change.put(&self.table.operators(), &keys::operator(user.id), &colleague)?;
            let deed = Deed { action: "operator.add", target: user.id.to_string(), ..Deed::default() };
            record_for_operators(change, actor, at, Deed { after: shown(user), ..deed })
        };
        let user = if let Some(user) = self.users.by_email(email).await? {
            let edit = |user: &mut User, change: &mut Change| {
                if user.operator {
                    return Err(Error::Conflict(format!("`{email}` works for the operator already")));
                }
                user.operator = true;
                record(user, change)
            };
            self.users.change(user, edit).await?.0
        } else {
            let user = User { operator: true, ..User::new(email.clone(), at) };
            let mut change = Change::new(&self.table);
            self.users.add(&mut change, &user)?;
            record(&user, &mut change)?;
            change.commit().await?.or(|| Error::Conflict("somebody has just taken this address".to_owned()))?;
            user
        };
        let link = if user.password.is_none() { Some(self.link(&user).await?) } else { None };
        Ok((user, link))
    }

    /// A link to choose a password.
    async fn link(&self, user: &User) -> Result<String> {
        self.links.make(Purpose::ResetPassword, user.id, user.epoch).await
    }

    /// Lets somebody work for the operator no more. It is signed out everywhere; its token is refused within 30 s.
    ///
    /// # Errors
    /// `NotFound` if nobody of that address works for the operator; `Unavailable`.
    pub async fn remove(&self, email: &EmailAddress, actor: &Actor, at: Timestamp) -> Result<User> {
        let none = || Error::NotFound { kind: "operator", id: email.to_string() };
        let user = self.users.by_email(email).await?.ok_or_else(none)?;
        let edit = |user: &mut User, change: &mut Change| {
            if !user.operator {
                return Err(none());
            }
            user.operator = false;
            user.sign_out_everywhere();
            change.delete_if(&self.table.operators(), &keys::operator(user.id), "attribute_exists(pk)", &[])?;
            let deed = Deed { action: "operator.remove", target: user.id.to_string(), ..Deed::default() };
            record_for_operators(change, actor, at, Deed { before: shown(user), ..deed })
        };
        Ok(self.users.change(user, edit).await?.0)
    }

    /// All who work for the operator.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn all(&self) -> Result<Vec<Colleague>> {
        self.table.operators().begins_with(keys::OPERATOR_PREFIX).collect().await
    }

    /// Adds to a change, which creates the tenant, that somebody is its owner; with an account, if it has none.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn own(
        &self,
        change: &mut Change,
        tenant: &Tenant,
        email: &EmailAddress,
        actor: &Actor,
        at: Timestamp,
    ) -> Result<Owner> {
        let found = self.users.by_email(email).await?;
        let is_new = found.is_none();
        let user = found.unwrap_or_else(|| User::new(email.clone(), at));
        if is_new {
            self.users.add(change, &user)?;
        }
        let (member, _) = self.memberships.add(change, &user, tenant.id, Role::Owner, at)?;
        let deed = Deed { action: "member.add", target: user.id.to_string(), ..Deed::default() };
        record(change, tenant.id, actor, at, Deed { after: member.shown(), ..deed })?;
        Ok(Owner { user, is_new })
    }

    /// Tells somebody that it owns a tenant, with a link to choose a password if it has just got its account. The tenant
    /// is there either way: its owner gets another link by "forgot password".
    pub async fn tell(&self, owner: &Owner, tenant: &Tenant, mailer: &Mailer) {
        if let Err(error) = self.send(owner, tenant, mailer).await {
            tracing::error!(?error, "an owner was not told");
        }
    }

    async fn send(&self, Owner { user, is_new }: &Owner, tenant: &Tenant, mailer: &Mailer) -> Result<()> {
        let link = if *is_new { Some(self.link(user).await?) } else { None };
        mailer.send(&Mail::owner(user.email.clone(), &tenant.name, link.as_deref())).await
    }
}

fn shown(user: &User) -> Value {
    json!({"email": user.email})
}
