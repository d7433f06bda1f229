//! Who changes members, and how far it may go.

use crate::{
    audit::Actor,
    auth::{Caller, Permission, Principal, Role},
    clock::Timestamp,
    error::{Error, Result},
    id::UserId,
    store::{Change, Partition, keys},
    tenant::{ApiKey, IdentityProvider, Member},
};

/// Whoever changes members, as it presented itself.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Who it is.
    pub who: Principal,
    /// The same for the audit log.
    pub actor: Actor,
}

impl From<&Caller> for Authority {
    fn from(caller: &Caller) -> Self {
        Self { who: caller.principal(), actor: caller.actor() }
    }
}

/// What somebody is in a tenant just now.
#[derive(Debug, Clone)]
pub(in crate::tenant) struct Standing {
    /// The role that it acts with; a key that manages the tenant acts as an admin.
    pub role: Role,
    /// The member that it is; `None` if it is a key.
    pub member: Option<Member>,
    sort: String,
    version: u64,
}

impl Authority {
    /// What it is now.
    ///
    /// # Errors
    /// `Forbidden` if it may not change members any more; `Unavailable`.
    pub(in crate::tenant) async fn now(&self, main: &Partition, at: Timestamp) -> Result<Standing> {
        self.who.standing(main, at).await?.ok_or_else(|| Error::Forbidden("you may not do this any more".to_owned()))
    }
}

impl Principal {
    /// What it is in a tenant now; `None` if it isn't there, or a key that has expired or may not change members.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub(in crate::tenant) async fn standing(self, main: &Partition, now: Timestamp) -> Result<Option<Standing>> {
        match self {
            Self::Member(user) => {
                let sort = keys::member(user);
                let member: Option<Member> = main.find(&sort).await?;
                Ok(member.map(|member| Standing {
                    role: member.role,
                    version: member.version,
                    member: Some(member),
                    sort,
                }))
            }
            Self::Key(id) => {
                let sort = keys::key(id);
                let key: Option<ApiKey> = main.find(&sort).await?;
                let may = |key: &ApiKey| {
                    let scopes = Permission::MembersWrite.scopes();
                    let is_good = key.revoked_at.is_none() && key.expires_at.is_none_or(|at| at > now);
                    is_good && scopes.iter().any(|scope| key.scopes.contains(scope))
                };
                let key = key.filter(may);
                Ok(key.map(|key| Standing { role: Role::Admin, version: key.version, member: None, sort }))
            }
        }
    }
}

impl Standing {
    /// What a tenant's identity provider is, as far as its rules let it invite somebody.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn of_provider(main: &Partition, may: impl Fn(&IdentityProvider) -> bool) -> Result<Option<Self>> {
        let sort = keys::IDENTITY_PROVIDER;
        let rules: Option<IdentityProvider> = main.find(sort).await?;
        let (role, sort) = (Role::Admin, sort.to_owned());
        Ok(rules.filter(may).map(|rules| Self { role, version: rules.version, member: None, sort }))
    }

    /// Fails unless it may give a role, and touch who has it.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn may(&self, role: Role) -> Result<()> {
        if self.role.may_give(role) {
            return Ok(());
        }
        let detail = format!("the role `{}` may not give or change the role `{}`", self.role.as_str(), role.as_str());
        Err(Error::Forbidden(detail))
    }

    /// Whether it is this person.
    pub fn is(&self, user: UserId) -> bool {
        self.member.as_ref().is_some_and(|member| member.user == user)
    }

    /// Adds to a change that it must still be the same.
    ///
    /// # Errors
    /// `Internal`.
    pub fn demand(&self, change: &mut Change, main: &Partition) -> Result<()> {
        change.check_version(main, &self.sort, self.version).map(drop)
    }
}
