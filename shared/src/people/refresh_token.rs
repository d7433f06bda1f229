//! The text of refresh tokens: `lmr_<person><sign-in>_<family><turn><checksum>`, all in Crockford's base 32.
//!
//! * person and sign-in: 26 characters each, the ULIDs of both, so that one read of the person's partition finds it;
//! * family: 128 random bits that all tokens of a sign-in have in common;
//! * turn: 128 random bits that each has of its own;
//! * checksum: CRC-32 of all that stands before it, 8 hex digits, as in API keys:
//!   `lmr_[0-9A-HJKMNP-TV-Z]{52}_[0-9A-HJKMNP-TV-Z]{52}[0-9a-f]{8}`.
//!
//! A token whose family is right and whose turn is not was good once: somebody has kept it, and has it used again. A
//! token whose family is wrong was never good, so nobody can end another's sign-in by guessing.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use ulid::Ulid;

use crate::id::{SignInId, UserId};

const PREFIX: &str = "lmr_";
const ID: usize = ulid::ULID_LEN;
const CHECKSUM: usize = 8;

/// What is kept of a sign-in's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenHashes {
    /// SHA-256 of what all of them have in common, in base64.
    pub family: String,
    /// SHA-256 of what the newest has of its own, in base64.
    pub turn: String,
}

/// A token: one that was just made, or one that somebody presents.
#[derive(Clone)]
pub struct RefreshToken {
    /// Whose it says it is.
    pub user: UserId,
    /// Of which sign-in it says it is.
    pub sign_in: SignInId,
    family: Ulid,
    turn: Ulid,
}

/// What a presented token is to a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// The newest.
    Current,
    /// One that has been exchanged for another.
    Used,
    /// None of its tokens.
    Foreign,
}

impl RefreshToken {
    /// The first token of a sign-in.
    #[must_use]
    pub fn first(user: UserId, sign_in: SignInId) -> Self {
        Self { user, sign_in, family: random(), turn: random() }
    }

    /// The token that takes this one's place.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { turn: random(), ..self.clone() }
    }

    /// From its text; `None` if anything about it is malformed, its checksum included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        if !text.is_ascii() || rest.len() != 4 * ID + 1 + CHECKSUM {
            return None;
        }
        let (body, checksum) = text.split_at(text.len() - CHECKSUM);
        if checksum != self::checksum(body) {
            return None;
        }
        let (ids, secrets) = body[PREFIX.len()..].split_once('_')?;
        let part = |text: &str, at: usize| Ulid::from_string(text.get(at * ID..(at + 1) * ID)?).ok();
        let token = Self {
            user: UserId::from_ulid(part(ids, 0)?),
            sign_in: SignInId::from_ulid(part(ids, 1)?),
            family: part(secrets, 0)?,
            turn: part(secrets, 1)?,
        };
        // One spelling each, so that a token has one hash.
        (token.text() == text).then_some(token)
    }

    /// The whole text, to be given to its owner.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { user, sign_in, family, turn } = self;
        let body = format!("{PREFIX}{}{}_{family}{turn}", user.ulid(), sign_in.ulid());
        format!("{body}{}", checksum(&body))
    }

    /// What is kept of it.
    #[must_use]
    pub fn hashes(&self) -> TokenHashes {
        TokenHashes { family: hash(self.family), turn: hash(self.turn) }
    }

    /// What it is to the sign-in of these hashes, in a time that doesn't depend on where they differ.
    #[must_use]
    pub fn is_to(&self, kept: &TokenHashes) -> Presented {
        let own = self.hashes();
        let same = |own: &str, kept: &str| -> Choice { own.as_bytes().ct_eq(kept.as_bytes()) };
        match (same(&own.family, &kept.family).into(), same(&own.turn, &kept.turn).into()) {
            (true, true) => Presented::Current,
            (true, false) => Presented::Used,
            (false, _) => Presented::Foreign,
        }
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken").field("sign_in", &self.sign_in).finish_non_exhaustive()
    }
}

/// 128 bits from the operating system's generator.
fn random() -> Ulid {
    Ulid::from_bytes(rand::random::<[u8; 16]>())
}

fn hash(secret: Ulid) -> String {
    BASE64_STANDARD.encode(Sha256::digest(secret.to_bytes()))
}

fn checksum(body: &str) -> String {
    format!("{:08x}", crc32fast::hash(body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use proptest::prelude::*;

    fn a_token() -> RefreshToken {
        RefreshToken::first(UserId::new(Timestamp(1)), SignInId::new(Timestamp(2)))
    }

    #[test]
    fn a_token_reads_back() {
        let token = a_token();
        let read = RefreshToken::parse(&token.text()).unwrap();
        assert_eq!((read.user, read.sign_in, read.hashes()), (token.user, token.sign_in, token.hashes()));
        assert_eq!(token.text().len(), 4 + 52 + 1 + 52 + 8);
    }

    #[test]
    fn an_older_token_of_the_family_is_told_from_a_guess() {
        let first = a_token();
        let second = first.next();
        assert_eq!(second.is_to(&second.hashes()), Presented::Current);
        assert_eq!(first.is_to(&second.hashes()), Presented::Used);
        let guess = RefreshToken::first(first.user, first.sign_in);
        assert_eq!(guess.is_to(&second.hashes()), Presented::Foreign);
    }

    #[test]
    fn a_token_is_not_printed() {
        let token = a_token();
        assert!(!format!("{token:?}").contains(&token.family.to_string()));
    }

    proptest! {
        #[test]
        fn a_token_with_one_character_changed_is_refused(at in 0..117_usize, to in "[!-~]") {
            let token = a_token().text();
            let mut text = token.clone();
            text.replace_range(at..=at, &to);
            prop_assume!(text != token);
            prop_assert!(RefreshToken::parse(&text).is_none());
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*|lmr_[0-9A-Z]{52}_[0-9A-Z]{52}[0-9a-f]{8}") {
            let _ = RefreshToken::parse(&text);
        }
    }
}
