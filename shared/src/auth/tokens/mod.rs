//! Access tokens: JSON Web Tokens (RFC 9068) that anybody can verify and only the deployment can sign. RFC 8725 says what
//! to look out for: the algorithm and the type are fixed, whatever a token says, and no key but the deployment's counts.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use moka::future::Cache;
use ulid::Ulid;

use super::{Principal, Role};
use crate::{
    error::{Error, Result},
    id::{KeyId, SignInId, TenantId, UserId},
    tenant::KeyScope,
};

mod claims;
mod keys;
mod links;
mod ring;

pub use claims::{AccessClaims, Purpose, Restriction, TokenRole, scope_text};
pub use keys::{Jwk, JwkSet};
pub use links::Links;
pub use ring::{Ring, Rotation};

/// How long an access token is good.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_mins(10);

/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(5);

/// RFC 9068 section 2.1.
const TYPE: &str = "at+jwt";
/// The OAuth client where people sign in.
const PEOPLE: &str = "lmo";

/// How many tokens are kept whose signature was found right.
const AT_HAND: u64 = 10_000;

const WRONG: Error = Error::InvalidToken("the access token is not valid");

/// Issues and verifies access tokens. Clones share what they know.
#[derive(Clone)]
pub struct Tokens {
    ring: Ring,
    /// What tokens say whose signature was found right, by the hash of their text.
    verified: Cache<[u8; 32], Arc<Verified>>,
}

struct Verified {
    /// Which key signed it.
    kid: String,
    claims: AccessClaims,
}

impl Tokens {
    /// Tokens that are signed by the keys of a ring.
    #[must_use]
    pub fn new(ring: Ring) -> Self {
        Self { ring, verified: Cache::builder().max_capacity(AT_HAND).time_to_live(ACCESS_TOKEN_LIFE).build() }
    }

    /// The keys that sign.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// An access token of a person, for a tenant that it is a member of, or for none.
    ///
    /// # Errors
    /// `Unavailable` if the keys can't be read; `Internal` if there are none.
    pub async fn person(
        &self,
        user: UserId,
        place: Option<(TenantId, Role)>,
        sign_in: SignInId,
        restriction: Option<Restriction>,
    ) -> Result<String> {
        let mut claims = self.claims(Principal::Member(user), PEOPLE.to_owned());
        claims.tenant = place.map(|(tenant, _)| tenant);
        claims.roles = place.map(|(_, role)| role.into()).into_iter().collect();
        (claims.sid, claims.restriction) = (Some(sign_in), restriction);
        self.ring.sign(TYPE, &claims).await
    }

    /// An access token of a person who works for the operator.
    ///
    /// # Errors
    /// As [`Self::person`].
    pub async fn operator(&self, user: UserId, sign_in: SignInId, restriction: Option<Restriction>) -> Result<String> {
        let mut claims = self.claims(Principal::Member(user), PEOPLE.to_owned());
        claims.roles = vec![TokenRole::Operator];
        (claims.sid, claims.restriction) = (Some(sign_in), restriction);
        self.ring.sign(TYPE, &claims).await
    }

    /// An access token of a key, narrowed to these scopes.
    ///
    /// # Errors
    /// As [`Self::person`].
    pub async fn key(&self, key: KeyId, tenant: TenantId, scopes: BTreeSet<KeyScope>) -> Result<String> {
        let mut claims = self.claims(Principal::Key(key), key.to_string());
        (claims.tenant, claims.scopes) = (Some(tenant), scopes);
        self.ring.sign(TYPE, &claims).await
    }

    /// What a token says that is good now. Whether whoever it was issued to still is what it was is for the caller to
    /// find out.
    ///
    /// # Errors
    /// `InvalidToken`; `Unavailable` if the keys can't be read.
    pub async fn verify(&self, text: &str) -> Result<AccessClaims> {
        let Ok(hash) = <[u8; 32]>::try_from(digest(&SHA256, text.as_bytes()).as_ref()) else { return Err(WRONG) };
        if let Some(verified) = self.verified.get(&hash).await
            && self.ring.has(&verified.kid).await?
        {
            return self.now_good(&verified.claims);
        }
        let (kid, claims): (_, AccessClaims) = self.ring.open(TYPE, text).await?.ok_or(WRONG)?;
        let good = self.now_good(&claims)?;
        self.verified.insert(hash, Arc::new(Verified { kid, claims })).await;
        Ok(good)
    }

    fn now_good(&self, claims: &AccessClaims) -> Result<AccessClaims> {
        if claims.iss != self.ring.issuer() || claims.aud != self.ring.issuer() {
            return Err(Error::InvalidToken("the access token is not for this service"));
        }
        let now = self.ring.clock().now();
        if claims.iat > now.after(LEEWAY).seconds() {
            return Err(Error::InvalidToken("the access token is not valid yet"));
        }
        if claims.exp <= now.before(LEEWAY).seconds() {
            return Err(Error::InvalidToken("the access token has expired"));
        }
        Ok(claims.clone())
    }

    fn claims(&self, sub: Principal, client_id: String) -> AccessClaims {
        let now = self.ring.clock().now();
        AccessClaims {
            iss: self.ring.issuer().to_owned(),
            aud: self.ring.issuer().to_owned(),
            sub,
            tenant: None,
            roles: Vec::new(),
            scopes: BTreeSet::new(),
            client_id,
            sid: None,
            restriction: None,
            jti: id(),
            iat: now.seconds(),
            exp: now.after(ACCESS_TOKEN_LIFE).seconds(),
        }
    }
}

/// The key that an access token says it is signed with; `None` if it is no access token at all. Nothing that it says is true
/// before [`Tokens::verify`] has found it so.
#[must_use]
pub fn signed_by(text: &str) -> Option<String> {
    ring::key_of(TYPE, text)
}

/// 128 random bits.
fn id() -> String {
    Ulid::from_bytes(rand::random::<[u8; 16]>()).to_string()
}
