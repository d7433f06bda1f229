//! Recovery codes: what somebody signs in with who has lost the second factor. Each is good once.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How many somebody is given.
const CODES: usize = 10;
/// The symbols of a code, of five bits each: 80 bits, so that a hash that is quick to compute keeps it.
const SYMBOLS: usize = 16;
/// Crockford's base 32, in lower case: no symbol looks like another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A recovery code. Its text is shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode([u8; SYMBOLS]);

/// What is kept of a code: SHA-256 in base 64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryHash(String);

impl RecoveryCode {
    /// Ten new ones.
    #[must_use]
    pub fn random() -> Vec<Self> {
        let symbol = |byte: u8| ALPHABET[usize::from(byte & 31)];
        (0..CODES).map(|_| Self(rand::random::<[u8; SYMBOLS]>().map(symbol))).collect()
    }

    /// A code as somebody types it: letters of either case, hyphens and spaces anywhere. `None` if it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let symbols = text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')).map(|byte| byte.to_ascii_lowercase());
        let symbols: Vec<u8> = symbols.take(SYMBOLS + 1).collect();
        symbols.iter().all(|symbol| ALPHABET.contains(symbol)).then(|| symbols.try_into().ok().map(Self)).flatten()
    }

    /// Its text, in groups of four.
    #[must_use]
    pub fn text(&self) -> String {
        let groups: Vec<_> = self.0.chunks(4).map(String::from_utf8_lossy).collect();
        groups.join("-")
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> RecoveryHash {
        RecoveryHash(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.0)))
    }

    /// Where it is among those that are kept; `None` if it isn't. It is taken out in the same conditional write that
    /// lets somebody in.
    #[must_use]
    pub fn find(&self, kept: &[RecoveryHash]) -> Option<usize> {
        let hash = self.hash();
        kept.iter().position(|one| one.0.as_bytes().ct_eq(hash.0.as_bytes()).into())
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_different_codes_are_found_as_they_are_typed() {
        let codes = RecoveryCode::random();
        let kept: Vec<_> = codes.iter().map(RecoveryCode::hash).collect();
        assert_eq!(codes.len(), 10);
        for (place, code) in codes.iter().enumerate() {
            let typed = code.text().to_uppercase().replace('-', " ");
            assert_eq!(RecoveryCode::parse(&typed).unwrap().find(&kept), Some(place));
        }
    }

    #[test]
    fn a_code_that_is_not_kept_is_not_found() {
        let kept: Vec<_> = RecoveryCode::random().iter().map(RecoveryCode::hash).collect();
        assert_eq!(RecoveryCode::random()[0].find(&kept), None);
        assert_eq!(RecoveryCode::random()[0].find(&[]), None);
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for bad in
            ["", "123456", "0123-4567-89ab-cde", "0123-4567-89ab-cdefg", "0123-4567-89ab-cdei", "0123-4567-89ab-cdeé"]
        {
            assert!(RecoveryCode::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn codes_are_not_shown() {
        assert_eq!(format!("{:?}", RecoveryCode::random()[0]), "RecoveryCode(***)");
    }
}
