//! What is kept but must not be read by whoever reads the table: sealed by AES-256-GCM under keys in Secrets Manager.
//!
//! A sealed text is `v1.<id of its key>.<nonce, ciphertext and tag in base64url>`. It opens only in the context that it
//! was sealed for. Nonces are random, so a key seals no more than 2^32 texts (NIST SP 800-38D section 8.3).

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_sdk_secretsmanager::Client;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    clock::Clock,
    error::{Error, Result},
    secret::{Secret, Seen},
};

const VERSION: &str = "v1";

/// Seals and opens. Clones share their keys.
#[derive(Clone)]
pub struct Seal {
    keys: Secret<SealingKeys>,
}

/// All keys that anything may be sealed with, the oldest first. The newest is not used until there is a newer one: by
/// then everybody has read it.
#[derive(Serialize, Deserialize)]
struct SealingKeys {
    keys: Vec<SealingKey>,
}

#[derive(Serialize, Deserialize)]
struct SealingKey {
    /// Base64url of its 32 bytes.
    key: String,
}

impl Seal {
    /// Sealing with the keys in the secret called `name`.
    #[must_use]
    pub fn new(client: Client, name: String, clock: Clock) -> Self {
        Self { keys: Secret::new(client, name, clock) }
    }

    /// Makes the first keys, if there are none.
    ///
    /// # Errors
    /// `Unavailable` if Secrets Manager can't be reached.
    pub async fn create(&self) -> Result<()> {
        let first = || Ok(SealingKeys { keys: vec![SealingKey::generate(), SealingKey::generate()] });
        self.keys.get_or_create(first).await.map(drop)
    }

    /// Makes a new key and seals with the one before it from now on. Old ones go on opening what they sealed. `false` if
    /// somebody else did so at the same time.
    ///
    /// # Errors
    /// `Unavailable` if Secrets Manager can't be reached; `Internal` if there are no keys.
    pub async fn rotate(&self) -> Result<bool> {
        let seen = self.keys.read().await?.ok_or_else(none)?;
        let copy = |key: &SealingKey| SealingKey { key: key.key.clone() };
        let keys = seen.value.keys.iter().map(copy).chain([SealingKey::generate()]).collect();
        self.keys.replace(&seen, SealingKeys { keys }).await
    }

    /// Seals `bytes` for a context (`totp usr_…`), in which alone they can be opened.
    ///
    /// # Errors
    /// `Unavailable` if the keys can't be read; `Internal` if there are none.
    pub async fn seal(&self, context: &str, bytes: &[u8]) -> Result<String> {
        let keys = self.keys.get().await?.ok_or_else(none)?;
        keys.value.sealing().ok_or_else(none)?.seal(context, bytes)
    }

    /// Opens what was sealed for a context.
    ///
    /// # Errors
    /// `Internal` if it wasn't, or was changed since; `Unavailable` if the keys can't be read.
    pub async fn open(&self, context: &str, text: &str) -> Result<Vec<u8>> {
        let opened = self.open_if_ours(context, text).await?;
        opened.ok_or_else(|| Error::internal("what was sealed can't be opened"))
    }

    /// Opens a text that somebody brings; `None` if it wasn't sealed for this context, or was changed since.
    ///
    /// # Errors
    /// `Unavailable` if the keys can't be read.
    pub async fn open_if_ours(&self, context: &str, text: &str) -> Result<Option<Vec<u8>>> {
        let Some((id, sealed)) = text.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('.')?.split_once('.'))
        else {
            return Ok(None);
        };
        let Ok(sealed) = BASE64.decode(sealed) else { return Ok(None) };
        let opened = |keys: Option<Arc<Seen<SealingKeys>>>| {
            keys.and_then(|keys| Some(keys.value.find(id)?.open(context, sealed.clone())))
        };
        let opened = match opened(self.keys.get().await?) {
            None => opened(self.keys.newer().await?),
            found => found,
        };
        Ok(opened.flatten())
    }
}

impl SealingKeys {
    /// The one that seals: the newest but one.
    fn sealing(&self) -> Option<&SealingKey> {
        self.keys.iter().rev().nth(1)
    }

    fn find(&self, id: &str) -> Option<&SealingKey> {
        self.keys.iter().find(|key| key.id() == id)
    }
}

impl SealingKey {
    fn generate() -> Self {
        Self { key: BASE64.encode(rand::random::<[u8; 32]>()) }
    }

    /// The first 8 bytes of its hash.
    fn id(&self) -> String {
        BASE64.encode(&Sha256::digest(&self.key)[..8])
    }

    fn cipher(&self) -> Result<RandomizedNonceKey> {
        let broken = || Error::internal("a sealing key is not what it should be");
        let key = BASE64.decode(&self.key).map_err(|_| broken())?;
        RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| broken())
    }

    fn seal(&self, context: &str, bytes: &[u8]) -> Result<String> {
        let mut sealed = bytes.to_vec();
        let nonce = self.cipher()?.seal_in_place_append_tag(Aad::from(context), &mut sealed);
        let nonce = nonce.map_err(|_| Error::internal("sealing failed"))?;
        let sealed = [nonce.as_ref().as_slice(), &sealed].concat();
        Ok(format!("{VERSION}.{}.{}", self.id(), BASE64.encode(sealed)))
    }

    fn open(&self, context: &str, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.cipher().ok()?.open_in_place(nonce, Aad::from(context), sealed).map(|bytes| bytes.to_vec());
        opened.ok()
    }
}

fn none() -> Error {
    Error::internal("there is no sealing key; `lmo init` makes one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed_part(text: &str) -> Vec<u8> {
        BASE64.decode(text.rsplit('.').next().unwrap()).unwrap()
    }

    #[test]
    fn the_same_bytes_never_look_the_same() {
        let key = SealingKey::generate();
        assert_ne!(key.seal("a", b"secret").unwrap(), key.seal("a", b"secret").unwrap());
    }

    #[test]
    fn a_new_key_is_not_used_before_there_is_a_newer_one() {
        let mut keys = SealingKeys { keys: vec![SealingKey::generate(), SealingKey::generate()] };
        let next = keys.keys[1].id();
        assert_ne!(keys.sealing().unwrap().id(), next);
        keys.keys.push(SealingKey::generate());
        assert_eq!(keys.sealing().unwrap().id(), next);
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_in_its_context_alone(bytes: Vec<u8>, context in ".{0,20}", other in ".{0,20}") {
            let key = SealingKey::generate();
            let sealed = sealed_part(&key.seal(&context, &bytes).unwrap());
            prop_assert_eq!(key.open(&context, sealed.clone()), Some(bytes));
            prop_assert_eq!(SealingKey::generate().open(&context, sealed.clone()), None);
            prop_assume!(context != other);
            prop_assert_eq!(key.open(&other, sealed), None);
        }

        #[test]
        fn a_changed_or_shortened_text_does_not_open(at: prop::sample::Index, bit in 0..8_u8, keep: prop::sample::Index) {
            let key = SealingKey::generate();
            let sealed = sealed_part(&key.seal("a", b"secret").unwrap());
            let mut changed = sealed.clone();
            changed[at.index(sealed.len())] ^= 1 << bit;
            prop_assert_eq!(key.open("a", changed), None);
            prop_assert_eq!(key.open("a", sealed[..keep.index(sealed.len())].to_vec()), None);
        }
    }
}
