//! The keys that tokens are signed with: Ed25519, of which one signs, one will, and one did.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    clock::Timestamp,
    error::{Error, Result},
};

/// The keys as they are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SigningKeys {
    /// Signs.
    pub current: SigningKey,
    /// Will sign: known to all before it does.
    pub next: SigningKey,
    /// Signed until the last rotation: what it signed is still good.
    pub previous: Option<SigningKey>,
    /// Since when the current one signs.
    pub since: Timestamp,
}

impl SigningKeys {
    /// The first ones.
    pub fn generate(since: Timestamp) -> Result<Self> {
        Ok(Self { current: SigningKey::generate()?, next: SigningKey::generate()?, previous: None, since })
    }

    /// The next one signs from now on.
    pub fn rotated(&self, since: Timestamp) -> Result<Self> {
        let (current, previous) = (self.next.clone(), Some(self.current.clone()));
        Ok(Self { current, next: SigningKey::generate()?, previous, since })
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &SigningKey> {
        [&self.current, &self.next].into_iter().chain(&self.previous)
    }

    /// The one with that id.
    pub fn find(&self, kid: &str) -> Option<&SigningKey> {
        self.all().find(|key| key.jwk.kid == kid)
    }
}

/// A key pair.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "PrivateJwk", into = "PrivateJwk")]
pub(super) struct SigningKey {
    pub jwk: Jwk,
    seed: String,
    pub encoding: EncodingKey,
    pub decoding: DecodingKey,
}

impl SigningKey {
    fn generate() -> Result<Self> {
        Self::from_seed(&rand::random::<[u8; 32]>()).map_err(Error::internal)
    }

    fn from_seed(seed: &[u8]) -> Result<Self, &'static str> {
        const BROKEN: &str = "a signing key is not what it should be";
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BROKEN)?;
        let public = pair.public_key().as_ref();
        let encoding = EncodingKey::from_ed_der(pair.to_pkcs8v1().map_err(|_| BROKEN)?.as_ref());
        let jwk = Jwk::of(public);
        Ok(Self { jwk, seed: BASE64.encode(seed), encoding, decoding: DecodingKey::from_ed_der(public) })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.jwk.kid).finish()
    }
}

/// A key pair as it is kept: a JSON Web Key, RFC 8037 section 2.
#[derive(Serialize, Deserialize)]
struct PrivateJwk {
    #[serde(flatten)]
    public: Jwk,
    d: String,
}

impl From<SigningKey> for PrivateJwk {
    fn from(key: SigningKey) -> Self {
        Self { public: key.jwk, d: key.seed }
    }
}

impl TryFrom<PrivateJwk> for SigningKey {
    type Error = &'static str;

    fn try_from(kept: PrivateJwk) -> Result<Self, Self::Error> {
        let seed = BASE64.decode(&kept.d).ok().filter(|seed| seed.len() == 32);
        let key = Self::from_seed(&seed.ok_or("a signing key has no seed of 32 bytes")?)?;
        // A wrong half would sign what nobody can verify.
        if key.jwk == kept.public { Ok(key) } else { Err("a signing key is not the one that it says it is") }
    }
}

/// A public key as a JSON Web Key, RFC 7517 and RFC 8037.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwk {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The public key, base64url.
    pub x: String,
    /// Its thumbprint, RFC 7638.
    pub kid: String,
    /// `sig`: it signs.
    #[serde(rename = "use")]
    pub purpose: String,
    /// `EdDSA`.
    pub alg: String,
}

impl Jwk {
    fn of(public: &[u8]) -> Self {
        let x = BASE64.encode(public);
        let kid = BASE64.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)));
        let [kty, crv, purpose, alg] = ["OKP", "Ed25519", "sig", "EdDSA"].map(str::to_owned);
        Self { kty, crv, x, kid, purpose, alg }
    }
}

/// Public keys, RFC 7517 section 5.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JwkSet {
    /// The keys: the one that signs, the one that will, and the one that did.
    pub keys: Vec<Jwk>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_thumbprint() {
        // RFC 8037, appendices A.1 and A.3.
        let seed = BASE64.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = SigningKey::from_seed(&seed).unwrap();
        assert_eq!(key.jwk.x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.jwk.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_rotation_moves_each_key_on_by_one() {
        let kids = |keys: &SigningKeys| keys.all().map(|key| key.jwk.kid.clone()).collect::<Vec<_>>();
        let first = SigningKeys::generate(Timestamp(0)).unwrap();
        let second = first.rotated(Timestamp(1)).unwrap();
        let ([one, two], [current, next, previous]) = (&kids(&first)[..], &kids(&second)[..]) else { panic!() };
        assert_eq!((current, previous), (two, one));
        assert!(![one, two].contains(&next));
    }

    #[test]
    fn kept_keys_are_read_back_and_not_shown() {
        let keys = SigningKeys::generate(Timestamp(0)).unwrap();
        let text = serde_json::to_string(&keys).unwrap();
        let read: SigningKeys = serde_json::from_str(&text).unwrap();
        assert_eq!(read.current.jwk, keys.current.jwk);
        assert!(!format!("{keys:?}").contains(&keys.current.seed));
        let swapped = text.replacen(&keys.current.seed, &keys.next.seed, 1);
        assert!(serde_json::from_str::<SigningKeys>(&swapped).is_err());
    }
}
