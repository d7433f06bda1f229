//! What a provider says of somebody: an ID token, OpenID Connect Core 1.0 sections 2 and 3.1.3.7.

use std::time::Duration;

use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;

use super::{Provider, refused};
use crate::{clock::Timestamp, error::Result, mail::EmailAddress};

/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_mins(1);

/// Who somebody is by a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What the provider calls the person, for good.
    pub subject: String,
    /// The person's address, of which the provider says that it is the person's.
    pub email: EmailAddress,
    /// What the person is called; empty if the provider doesn't say.
    pub name: String,
}

/// What LMO reads of an ID token or of what the provider says of its user.
#[derive(Deserialize)]
pub(super) struct Claims {
    #[serde(default)]
    iss: String,
    pub sub: String,
    #[serde(default)]
    aud: Audience,
    #[serde(default)]
    exp: u64,
    #[serde(default)]
    iat: u64,
    nonce: Option<String>,
    azp: Option<String>,
    #[serde(flatten)]
    pub person: PersonClaims,
}

/// What they say of the person.
#[derive(Deserialize)]
pub(super) struct PersonClaims {
    pub email: Option<String>,
    email_verified: Option<Flag>,
    /// Microsoft's word for it: the directory's administrator has proved to own the domain of the address.
    xms_edov: Option<Flag>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

/// Some providers write truth as text or as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Plain(bool),
    Text(String),
    Number(u8),
}

impl Flag {
    fn is_true(&self) -> bool {
        match self {
            Self::Plain(truth) => *truth,
            Self::Text(text) => text == "true" || text == "1",
            Self::Number(number) => *number == 1,
        }
    }
}

impl Provider {
    /// What an ID token says, if it is this provider's, for this client, in answer to the request with this nonce, and
    /// good now. The key decides by which algorithm it may be signed.
    pub(super) async fn open(&self, token: &str, client: &str, nonce: &str) -> Result<Claims> {
        let unsigned = || refused("the ID token has no valid signature of the provider");
        // `none` is no algorithm that this knows.
        let header = decode_header(token).map_err(|_| unsigned())?;
        if header.crit.is_some() {
            return Err(refused("the ID token is of an unknown kind"));
        }
        let now = self.clock.now();
        let keys = self.keys.find(&self.outbound, now, header.alg, header.kid.as_deref()).await;
        let keys = keys.map_err(|why| refused(&format!("the provider's keys: {why}")))?;
        let mut signature = Validation::new(header.alg);
        // The clock is passed in, and so all that it says is looked at here.
        (signature.validate_exp, signature.validate_aud) = (false, false);
        signature.required_spec_claims.clear();
        let open = |key| decode::<Claims>(token, key, &signature).ok();
        let claims = keys.iter().find_map(open).ok_or_else(unsigned)?.claims;
        claims.check(&self.issuer, client, nonce, now)?;
        Ok(claims)
    }
}

impl Claims {
    pub fn check(&self, issuer: &str, client: &str, nonce: &str, now: Timestamp) -> Result<()> {
        if self.iss != issuer {
            return Err(refused("the ID token is of another issuer"));
        }
        let (ours, alone) = match &self.aud {
            Audience::One(one) => (one == client, true),
            Audience::Several(several) => (several.iter().any(|one| one == client), several.len() == 1),
        };
        let party = self.azp.as_deref();
        if !ours || party.map_or(!alone, |party| party != client) {
            return Err(refused("the ID token is for another client"));
        }
        if self.exp <= now.before(LEEWAY).seconds() {
            return Err(refused("the ID token has expired"));
        }
        if self.iat > now.after(LEEWAY).seconds() {
            return Err(refused("the ID token is of the future"));
        }
        if self.nonce.as_deref() != Some(nonce) {
            return Err(refused("the ID token answers another request"));
        }
        Ok(())
    }
}

impl PersonClaims {
    /// Who it is.
    pub fn identity(self, subject: String) -> Result<Identity> {
        let email = self.email.as_deref().ok_or_else(|| refused("the provider doesn't tell the e-mail address"))?;
        let email = EmailAddress::parse(email).map_err(|_| refused("the provider tells no e-mail address"))?;
        if !self.email_verified.or(self.xms_edov).is_some_and(|verified| verified.is_true()) {
            return Err(refused(
                "the provider doesn't say that the e-mail address is verified (claim `email_verified`, or `xms_edov` of \
                 Microsoft)",
            ));
        }
        if subject.is_empty() || subject.len() > 255 {
            return Err(refused("the ID token names nobody"));
        }
        let name = self.name.unwrap_or_default().chars().filter(|c| !c.is_control()).take(100).collect();
        Ok(Identity { subject, email, name })
    }
}
