//! A tenant's own identity provider: who may come by it, and as what.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Tenants;
use crate::{
    audit::{Actor, Deed, Edit, IfMatch, Versioned, record},
    auth::Role,
    clock::Timestamp,
    error::{Error, Result},
    id::TenantId,
    mail::EmailAddress,
    store::{Committed, keys, number},
};

const KIND: &str = "identity_provider";

/// A tenant's identity provider.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityProvider {
    /// Its identifier, exactly as it writes it.
    pub issuer: String,
    /// What it calls LMO.
    pub client_id: String,
    /// What LMO proves that with, sealed; `None` for a public client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// The domains whose addresses may come; all if there is none.
    #[serde(default)]
    pub allowed_domains: Vec<String>,
    /// What somebody is invited as who is no member yet; `None` if only members may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_role: Option<Role>,
    /// Whether members have to come by it. Owners may come by their password too, so that a provider that fails locks
    /// nobody out for good.
    #[serde(default)]
    pub required: bool,
    /// Since when it is this issuer and this client. What another one has vouched for counts no more, also if it comes
    /// back.
    #[serde(default)]
    pub since: Timestamp,
    /// Counts its changes, from 1.
    pub version: u64,
}

/// Shows no secret, sealed or not.
impl std::fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityProvider").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Versioned for IdentityProvider {
    const KIND: &'static str = KIND;

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn shown(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "client_id": self.client_id,
            "client_secret": self.client_secret.is_some(),
            "allowed_domains": self.allowed_domains,
            "default_role": self.default_role,
            "required": self.required,
        })
    }
}

impl IdentityProvider {
    /// Fails if something of it can't be.
    ///
    /// # Errors
    /// `Invalid`, by the field's name.
    pub fn check(&self) -> Result<()> {
        const MOST_DOMAINS: usize = 50;
        let is_word = |text: &str| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        for (name, text) in [("issuer", &self.issuer), ("client_id", &self.client_id)] {
            if !is_word(text) {
                return Err(Error::invalid(name, format!("{name} must be 1 to 255 printable ASCII characters")));
            }
        }
        if self.allowed_domains.len() > MOST_DOMAINS {
            return Err(Error::invalid("allowed_domains", "allowed_domains must have at most 50 domains"));
        }
        for (index, domain) in self.allowed_domains.iter().enumerate() {
            let address = EmailAddress::parse(&format!("x@{domain}"));
            if !address.is_ok_and(|address| address.domain() == domain) {
                let param = format!("allowed_domains[{index}]");
                return Err(Error::invalid(param, "must be a domain in lower case, as in `example.com`"));
            }
        }
        match self.default_role {
            Some(Role::Owner) => Err(Error::invalid("default_role", "nobody becomes an owner by signing in")),
            Some(_) if self.allowed_domains.is_empty() => {
                let detail = "allowed_domains must say whose people are invited; the provider may know everybody";
                Err(Error::invalid("allowed_domains", detail))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether somebody with this address, who is no member, is invited as this.
    #[must_use]
    pub fn invites(&self, email: &EmailAddress, role: Role) -> bool {
        self.default_role == Some(role) && self.admits(email)
    }

    /// Whether somebody with this address may come.
    #[must_use]
    pub fn admits(&self, email: &EmailAddress) -> bool {
        self.allowed_domains.is_empty() || self.allowed_domains.iter().any(|domain| domain == email.domain())
    }
}

impl Tenants {
    /// A tenant's identity provider, if it has one.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn identity_provider(&self, id: TenantId) -> Result<Option<IdentityProvider>> {
        self.of(id).main().find(keys::IDENTITY_PROVIDER).await
    }

    /// Replaces a tenant's identity provider. The secret of the one before stays if there is no other and it goes to the
    /// same place: whoever may write here must not be able to have it sent elsewhere.
    ///
    /// # Errors
    /// `Invalid`, `PreconditionFailed`, `Conflict`; `Unavailable` if the table can't be reached.
    pub async fn put_identity_provider(
        &self,
        id: TenantId,
        version: IfMatch,
        new: &IdentityProvider,
        actor: &Actor,
        at: Timestamp,
    ) -> Result<IdentityProvider> {
        new.check()?;
        let (table, sort) = (self.of(id), keys::IDENTITY_PROVIDER);
        let edit = Edit { table: &table, sort, id: KIND, version, action: "identity_provider.put", actor, at };
        let decide = |item: &mut IdentityProvider, _: &mut _| {
            let (kept, place) = (item.client_secret.take(), (item.issuer.clone(), item.client_id.clone()));
            let stays = place == (new.issuer.clone(), new.client_id.clone());
            *item =
                IdentityProvider { since: if stays { item.since } else { at }, version: item.version, ..new.clone() };
            if item.client_secret.is_none() && kept.is_some() {
                if !stays {
                    let detail = "client_secret must be written again with another issuer or client_id";
                    return Err(Error::invalid("client_secret", detail));
                }
                item.client_secret = kept;
            }
            Ok(())
        };
        edit.apply_or_create(decide).await
    }

    /// Takes a tenant's identity provider away. Whoever came by it is signed out when the next access token is asked for.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, `Conflict`; `Unavailable` if the table can't be reached.
    pub async fn delete_identity_provider(
        &self,
        id: TenantId,
        version: IfMatch,
        actor: &Actor,
        at: Timestamp,
    ) -> Result<()> {
        let none = || Error::NotFound { kind: KIND, id: id.to_string() };
        let found = self.identity_provider(id).await?.ok_or_else(none)?;
        version.check(found.version)?;
        let (mut change, table) = (self.change(), self.of(id));
        let values = [(":version", number(found.version))];
        change.delete_if(&table.main(), keys::IDENTITY_PROVIDER, "version = :version", &values)?;
        let (target, before) = (KIND.to_owned(), found.shown());
        let deed = Deed { action: "identity_provider.delete", target, before, after: Value::Null };
        record(&mut change, id, actor, at, deed)?;
        match change.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(Error::Conflict("it has changed meanwhile; read it again".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> IdentityProvider {
        IdentityProvider {
            issuer: "https://id.example.com".to_owned(),
            client_id: "lmo".to_owned(),
            allowed_domains: vec!["example.com".to_owned()],
            ..IdentityProvider::default()
        }
    }

    fn wrong(change: impl FnOnce(&mut IdentityProvider)) -> String {
        let mut provider = provider();
        change(&mut provider);
        match provider.check() {
            Err(Error::Invalid { param, .. }) => param,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert!(provider().check().is_ok());
        assert_eq!(wrong(|provider| provider.issuer.clear()), "issuer");
        assert_eq!(wrong(|provider| provider.client_id = "a b".to_owned()), "client_id");
        assert_eq!(wrong(|provider| provider.allowed_domains.push("Example.com".to_owned())), "allowed_domains[1]");
        assert_eq!(wrong(|provider| provider.allowed_domains.push("@example.com".to_owned())), "allowed_domains[1]");
        assert_eq!(wrong(|provider| provider.default_role = Some(Role::Owner)), "default_role");
    }

    #[test]
    fn whoever_lets_strangers_in_says_of_which_domains() {
        let open = |provider: &mut IdentityProvider| {
            provider.allowed_domains.clear();
            provider.default_role = Some(Role::Viewer);
        };
        assert_eq!(wrong(open), "allowed_domains");
    }

    #[test]
    fn a_domain_is_that_domain_and_nothing_that_ends_like_it() {
        let admits = |email| provider().admits(&EmailAddress::parse(email).unwrap());
        assert!(admits("ann@EXAMPLE.com"));
        for other in ["ann@evil-example.com", "ann@sub.example.com", "ann@example.com.evil.org"] {
            assert!(!admits(other), "{other}");
        }
    }

    #[test]
    fn the_secret_is_shown_to_nobody() {
        let provider = IdentityProvider { client_secret: Some("v1.sealed".to_owned()), ..provider() };
        assert!(!format!("{provider:?} {}", provider.shown()).contains("sealed"));
    }
}
