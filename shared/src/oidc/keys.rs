//! The keys that a provider signs with.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::get;
use crate::{
    clock::Timestamp,
    outbound::{Failure, Outbound, Target},
};

/// How long after keys were read they are not read again because a token names one that isn't there: anybody can write
/// such a token.
const PAUSE: Duration = Duration::from_mins(1);

/// A provider's keys, and where they are read.
pub(super) struct Keys {
    target: Target,
    known: Mutex<Known>,
}

#[derive(Clone)]
struct Known {
    keys: Arc<[Jwk]>,
    read_at: Timestamp,
}

/// RFC 7517 section 5: what isn't understood is left out.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Keys {
    pub fn new(target: Target) -> Self {
        Self { target, known: Mutex::new(Known { keys: Arc::default(), read_at: Timestamp(0) }) }
    }

    /// Reads them.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn read(&self, outbound: &Outbound, now: Timestamp) -> Result<(), Failure> {
        let set: KeySet = get(outbound, self.target.clone(), http::HeaderMap::new()).await?;
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Known { keys, read_at: now };
        Ok(())
    }

    /// Those that a token may be signed with, by its algorithm and what it says of its key; read anew if there is none.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn find(
        &self,
        outbound: &Outbound,
        now: Timestamp,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Vec<DecodingKey>, Failure> {
        let (found, read_at) = self.known(algorithm, id);
        if !found.is_empty() || now < read_at.after(PAUSE) {
            return Ok(found);
        }
        self.read(outbound, now).await?;
        Ok(self.known(algorithm, id).0)
    }

    fn known(&self, algorithm: Algorithm, id: Option<&str>) -> (Vec<DecodingKey>, Timestamp) {
        let Known { keys, read_at } = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fits = |key: &&Jwk| (id.is_none() || key.common.key_id.as_deref() == id) && fits(key, algorithm);
        (keys.iter().filter(fits).filter_map(|key| DecodingKey::from_jwk(key).ok()).collect(), read_at)
    }
}

/// Whether a key may sign with an algorithm. No symmetric one may, and no key that is for another use or algorithm
/// (RFC 8725 section 3.1).
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let (common, parameters) = (&key.common, &key.algorithm);
    let use_fits = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let named = common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
    let kind = match (algorithm, parameters) {
        (
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512,
            AlgorithmParameters::RSA(_),
        ) => true,
        (Algorithm::ES256, AlgorithmParameters::EllipticCurve(key)) => key.curve == EllipticCurve::P256,
        (Algorithm::ES384, AlgorithmParameters::EllipticCurve(key)) => key.curve == EllipticCurve::P384,
        (Algorithm::EdDSA, AlgorithmParameters::OctetKeyPair(key)) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    use_fits && named && kind
}
