//! The deployment's keys at work: they sign, they verify, and they are rotated without a token being refused.
//!
//! A key is known to everybody before it signs, and after it has signed for as long as what it signed may be good:
//! processes use what they have read for [`STALE`] at most, tokens live for [`ACCESS_TOKEN_LIFE`], and between two
//! rotations lie at least both.

use std::{sync::Arc, time::Duration};

use aws_sdk_secretsmanager::Client;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    ACCESS_TOKEN_LIFE,
    keys::{JwkSet, SigningKeys},
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    secret::{STALE, Secret, Seen},
};

/// How often keys may be rotated, at most: half an hour, which is more than tokens and what processes know last.
const MOST_OFTEN: Duration = Duration::from_mins(30);
const _: () = assert!(MOST_OFTEN.as_secs() > STALE.as_secs() + ACCESS_TOKEN_LIFE.as_secs());

/// How old a key that signs becomes.
const OLDEST: Duration = Duration::from_hours(30 * 24);

/// The most bytes of a token: headers of requests have to hold it.
const LONGEST: usize = 4096;

/// Signs and verifies. Clones share what they have read.
#[derive(Clone)]
pub struct Ring {
    keys: Secret<SigningKeys>,
    issuer: Arc<str>,
    clock: Clock,
}

/// What came of a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "rotation", rename_all = "snake_case")]
pub enum Rotation {
    /// This key signs now.
    Done {
        /// Its id.
        kid: String,
    },
    /// The last one was too little ago: tokens that are still good would be refused.
    TooSoon {
        /// From when on the next one may be, RFC 3339.
        not_before: String,
    },
    /// Somebody else rotated them at the same time.
    Elsewhere,
}

impl Ring {
    /// The keys in the secret called `name`, of the deployment that calls itself `issuer`.
    #[must_use]
    pub fn new(client: Client, name: String, issuer: &str, clock: Clock) -> Self {
        Self { keys: Secret::new(client, name, clock.clone()), issuer: issuer.into(), clock }
    }

    /// Makes the first keys, if there are none.
    ///
    /// # Errors
    /// `Unavailable` if Secrets Manager can't be reached.
    pub async fn create(&self) -> Result<()> {
        self.keys.get_or_create(|| SigningKeys::generate(self.clock.now())).await.map(drop)
    }

    /// The public keys.
    ///
    /// # Errors
    /// `Unavailable` if they can't be read; `Internal` if there are none.
    pub async fn public(&self) -> Result<JwkSet> {
        Ok(JwkSet { keys: self.keys().await?.value.all().map(|key| key.jwk.clone()).collect() })
    }

    /// Lets the next key sign and makes a new next one; makes the first ones if there are none. `force` does so even if
    /// that refuses tokens which are still good: for keys that somebody else may know.
    ///
    /// # Errors
    /// `Unavailable` if Secrets Manager can't be reached.
    pub async fn rotate(&self, force: bool) -> Result<Rotation> {
        let Some(seen) = self.keys.read().await? else {
            let made = self.keys.get_or_create(|| SigningKeys::generate(self.clock.now())).await?;
            return Ok(Rotation::Done { kid: made.value.current.jwk.kid.clone() });
        };
        let now = self.clock.now();
        let not_before = seen.value.since.after(MOST_OFTEN);
        // Without a previous one nothing goes.
        if !force && seen.value.previous.is_some() && now < not_before {
            return Ok(Rotation::TooSoon { not_before: not_before.to_string() });
        }
        let rotated = seen.value.rotated(now)?;
        let kid = rotated.current.jwk.kid.clone();
        Ok(if self.keys.replace(&seen, rotated).await? { Rotation::Done { kid } } else { Rotation::Elsewhere })
    }

    /// Rotates the keys if the one that signs has done so for 30 days, or if there are none.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub async fn rotate_if_due(&self) -> Result<Option<Rotation>> {
        let seen = self.keys.read().await?;
        let due = seen.is_none_or(|seen| self.clock.now() >= seen.value.since.after(OLDEST));
        if due { self.rotate(false).await.map(Some) } else { Ok(None) }
    }

    /// The deployment, as tokens name it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    async fn keys(&self) -> Result<Arc<Seen<SigningKeys>>> {
        let keys = self.keys.get().await?;
        keys.ok_or_else(|| Error::internal("there are no signing keys; `lmo keys rotate` makes them"))
    }

    /// Whether a key is still one of the deployment's.
    pub(super) async fn has(&self, kid: &str) -> Result<bool> {
        Ok(self.keys.get().await?.is_some_and(|keys| keys.value.find(kid).is_some()))
    }

    pub(super) async fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String> {
        let keys = self.keys().await?;
        let key = &keys.value.current;
        let mut header = Header::new(Algorithm::EdDSA);
        (header.typ, header.kid) = (Some(typ.to_owned()), Some(key.jwk.kid.clone()));
        encode(&header, claims, &key.encoding).map_err(Error::internal)
    }

    /// The claims of a token of that type that one of the deployment's keys has signed, and which; `None` of any other.
    /// Whom it is for, and until when, is not looked at.
    pub(super) async fn open<T: DeserializeOwned>(&self, typ: &str, text: &str) -> Result<Option<(String, T)>> {
        let Some(kid) = key_of(typ, text) else { return Ok(None) };
        let mut keys = self.keys.get().await?;
        if keys.as_ref().is_none_or(|keys| keys.value.find(&kid).is_none()) {
            keys = self.keys.newer().await?;
        }
        let claims = keys.and_then(|keys| {
            let key = keys.value.find(&kid)?;
            decode(text, &key.decoding, &pinned()).ok().map(|token| token.claims)
        });
        Ok(claims.map(|claims| (kid, claims)))
    }
}

/// The key that a token of that type says it is signed with; `None` if it is of another type, of another algorithm, or
/// wants something to be understood that isn't.
pub(super) fn key_of(typ: &str, text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    let header = decode_header(text).ok()?;
    let plain = header.alg == Algorithm::EdDSA && header.crit.is_none() && header.zip.is_none() && header.enc.is_none();
    if plain && header.typ.as_deref() == Some(typ) { header.kid } else { None }
}

/// The one algorithm. What tokens say of themselves is checked by whoever knows what they are for, by the platform's clock.
fn pinned() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation
}
