//! The text of API keys: `lmo_<tenant><key>_<secret><checksum>`, all in Crockford's base 32.
//!
//! * tenant and key: 26 characters each, the ULIDs of both, so that one read of the tenant's partition finds the key;
//! * secret: 256 random bits in 52 characters;
//! * checksum: CRC-32 of all that stands before it, 8 hex digits. A mistyped key never reaches the database, and secret
//!   scanners can tell a key from chance: `lmo_[0-9A-HJKMNP-TV-Z]{52}_[0-9A-HJKMNP-TV-Z]{52}[0-9a-f]{8}`.

use std::fmt::{self, Write};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use ulid::Ulid;

use crate::{
    clock::Timestamp,
    id::{KeyId, TenantId},
};

const PREFIX: &str = "lmo_";
const ID: usize = ulid::ULID_LEN;
const SECRET: usize = 2 * ulid::ULID_LEN;
const CHECKSUM: usize = 8;

/// A key with a secret that was just made: the one time that its text exists.
pub struct NewKey {
    /// The key's id.
    pub id: KeyId,
    /// The whole text, to be shown once.
    pub text: String,
    /// What is kept of the secret.
    pub secret_hash: String,
}

impl NewKey {
    /// A new key of `tenant`.
    #[must_use]
    pub fn make(tenant: TenantId, at: Timestamp) -> Self {
        Self::again(tenant, KeyId::new(at))
    }

    /// Another secret for a key that there is.
    #[must_use]
    pub fn again(tenant: TenantId, id: KeyId) -> Self {
        let secret = format!("{}{}", random_part(), random_part());
        let body = format!("{PREFIX}{}{}_{secret}", tenant.ulid(), id.ulid());
        let text = format!("{body}{:08x}", crc32fast::hash(body.as_bytes()));
        Self { id, secret_hash: hash(&secret), text }
    }
}

/// 128 bits from the operating system's generator.
fn random_part() -> Ulid {
    Ulid::from_bytes(rand::random::<[u8; 16]>())
}

/// A key as a caller presents it: well formed, not yet known to be right.
pub struct PresentedKey {
    /// Whose it says it is.
    pub tenant: TenantId,
    /// Which it says it is.
    pub key: KeyId,
    secret_hash: String,
}

impl PresentedKey {
    /// From its text; `None` if anything about it is malformed, its checksum included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let ids = text.strip_prefix(PREFIX)?;
        if !text.is_ascii() || ids.len() != 2 * ID + 1 + SECRET + CHECKSUM {
            return None;
        }
        let (body, checksum) = text.split_at(text.len() - CHECKSUM);
        if u32::from_str_radix(checksum, 16).ok()? != crc32fast::hash(body.as_bytes()) {
            return None;
        }
        let (tenant, rest) = ids.split_at(ID);
        let (key, rest) = rest.split_at(ID);
        let secret = rest.strip_prefix('_')?.get(..SECRET)?;
        Some(Self {
            tenant: TenantId::from_ulid(Ulid::from_string(tenant).ok()?),
            key: KeyId::from_ulid(Ulid::from_string(key).ok()?),
            secret_hash: hash(secret),
        })
    }

    /// Whether its secret is the one with that hash, in a time that doesn't depend on where they differ.
    #[must_use]
    pub fn matches(&self, secret_hash: &str) -> bool {
        self.secret_hash.as_bytes().ct_eq(secret_hash.as_bytes()).into()
    }
}

impl fmt::Debug for PresentedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedKey").field("tenant", &self.tenant).field("key", &self.key).finish_non_exhaustive()
    }
}

fn hash(secret: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(secret.as_bytes()) {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn a_key() -> (TenantId, NewKey) {
        let tenant = TenantId::new(Timestamp(1));
        (tenant, NewKey::make(tenant, Timestamp(2)))
    }

    #[test]
    fn a_key_is_recognised_by_its_own_hash_only() {
        let (tenant, key) = a_key();
        let presented = PresentedKey::parse(&key.text).unwrap();
        assert_eq!((presented.tenant, presented.key), (tenant, key.id));
        assert!(presented.matches(&key.secret_hash));
        assert!(!presented.matches(&a_key().1.secret_hash));
    }

    /// The pattern that the README gives to secret scanners.
    fn pattern() -> regex::Regex {
        let readme = include_str!("../../../README.md");
        let start = readme.find("lmo_[").expect("the README has a pattern");
        let length = readme[start..].find('`').expect("it ends");
        regex::Regex::new(&readme[start..start + length]).expect("it is one")
    }

    #[test]
    fn the_readmes_pattern_finds_keys_and_nothing_shorter() {
        let (tenant, key) = a_key();
        let again = NewKey::again(tenant, key.id);
        for text in [&key.text, &again.text] {
            assert_eq!(pattern().find(&format!("KEY={text}\n")).map(|found| found.as_str()), Some(text.as_str()));
            assert!(!pattern().is_match(&text[..text.len() - 1]));
        }
        assert_eq!(include_str!("api_key.rs").matches(pattern().as_str()).count(), 1, "this file has another pattern");
    }

    #[test]
    fn another_secret_is_of_the_same_key() {
        let (tenant, key) = a_key();
        let again = NewKey::again(tenant, key.id);
        let presented = PresentedKey::parse(&again.text).unwrap();
        assert_eq!((presented.tenant, presented.key), (tenant, key.id));
        assert!(presented.matches(&again.secret_hash) && !presented.matches(&key.secret_hash));
    }

    proptest! {
        #[test]
        fn a_key_with_one_character_changed_is_refused(at in 0..117_usize, to in "[!-~]") {
            let (_, key) = a_key();
            let mut text = key.text.clone();
            text.replace_range(at..=at, &to);
            prop_assume!(text != key.text);
            // Hex digits are read in either case; then it is the same key.
            prop_assume!(!text.eq_ignore_ascii_case(&key.text) || at < 109);
            prop_assert!(PresentedKey::parse(&text).is_none_or(|presented| !presented.matches(&key.secret_hash)));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = PresentedKey::parse(&text);
        }
    }
}
