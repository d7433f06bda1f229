//! Who works for the operator: people whose account says so. That is no role in a tenant: it opens no tenant's route, and
//! nothing of a tenant opens an operator's.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use serde::Deserialize;

use super::{Authenticator, PresentedKey, Principal, TokenRole, Tokens};
use crate::{
    audit::{Actor, Source, Who},
    clock::{Clock, Timestamp},
    error::{Error, Result},
    id::UserId,
    store::{Table, keys},
};

/// How long it is kept whether somebody is an operator: how late the end of it takes effect, at most.
const FRESH: Duration = Duration::from_secs(30);
/// How many people are kept at hand.
const AT_HAND: u64 = 1_000;

/// Somebody who works for the operator. Only [`Operators`] makes one, so a function that takes an `Operator` needs no
/// check of its own who it is.
#[derive(Debug, Clone)]
pub struct Operator {
    user: UserId,
    source: Source,
}

impl Operator {
    /// Who.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Who acts and from where, for audit logs.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor { who: Who::Operator { id: Some(self.user) }, source: self.source.clone() }
    }
}

/// Finds out who works for the operator.
#[derive(Clone)]
pub struct Operators {
    table: Table,
    tokens: Tokens,
    clock: Clock,
    known: Cache<UserId, Arc<Seen>>,
}

struct Seen {
    operator: bool,
    at: Timestamp,
}

impl Operators {
    /// By the people in `table`, whose tokens are those that the authenticator knows.
    #[must_use]
    pub fn new(table: Table, authenticator: &Authenticator, clock: Clock) -> Self {
        let known = Cache::builder().max_capacity(AT_HAND).time_to_live(FRESH).build();
        Self { table, tokens: authenticator.tokens().clone(), clock, known }
    }

    /// The operator that presents `text`, an access token, from there, on a page of `origin` if it is a page.
    ///
    /// # Errors
    /// `Unauthenticated`, `InvalidToken`; `Restricted`; `Forbidden` if it is anybody else's; `OriginNotAllowed` if the page
    /// is not the deployment's own; `Unavailable`.
    pub async fn operator(&self, text: &str, origin: Option<&str>, source: Source) -> Result<Operator> {
        const NEEDED: &str = "this needs the access token of somebody who works for the operator";
        let forbidden = || Error::Forbidden(NEEDED.to_owned());
        if PresentedKey::parse(text).is_some() {
            return Err(forbidden());
        }
        let claims = self.tokens.verify(text).await?;
        let Principal::Member(user) = claims.sub else { return Err(forbidden()) };
        if claims.tenant.is_some() || !claims.roles.contains(&TokenRole::Operator) {
            return Err(forbidden());
        }
        if let Some(restriction) = claims.restriction {
            return Err(Error::Restricted(restriction));
        }
        if !self.is_operator(user).await? {
            return Err(forbidden());
        }
        if let Some(origin) = origin.filter(|origin| *origin != self.tokens.ring().issuer()) {
            return Err(Error::OriginNotAllowed(origin.to_owned()));
        }
        Ok(Operator { user, source })
    }

    async fn is_operator(&self, user: UserId) -> Result<bool> {
        #[derive(Deserialize)]
        struct Person {
            #[serde(default)]
            operator: bool,
        }
        if let Some(seen) = self.known.get(&user).await
            && self.clock.now().since(seen.at) < FRESH
        {
            return Ok(seen.operator);
        }
        let at = self.clock.now();
        let found: Option<Person> = self.table.user(user).find(keys::USER).await?;
        let operator = found.is_some_and(|person| person.operator);
        self.known.insert(user, Arc::new(Seen { operator, at })).await;
        Ok(operator)
    }
}
