//! The text of the secret in an invitation's link: `lmi_<tenant><invitation>_<secret><checksum>`.
//!
//! * tenant and invitation: the ULIDs of both, 26 characters of Crockford's base 32 each, so that one read finds it;
//! * secret: 128 random bits, written likewise;
//! * checksum: CRC-32 of all that stands before it, 8 hex digits.
//!
//! It is not signed, as other links are: the invitation has to be read anyway, and it says by a hash of the secret which
//! link is good. So an invitation that was sent again, revoked or accepted has no old link that works.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use ulid::Ulid;

use crate::id::{InviteId, TenantId};

const PREFIX: &str = "lmi_";
const ID: usize = ulid::ULID_LEN;
const CHECKSUM: usize = 8;

/// The secret of an invitation, and which one it is of.
#[derive(Clone)]
pub struct InviteToken {
    /// Whose invitation it says it is.
    pub tenant: TenantId,
    /// Which invitation it says it is.
    pub invite: InviteId,
    secret: Ulid,
}

impl InviteToken {
    /// A new one, from the operating system's generator.
    #[must_use]
    pub fn random(tenant: TenantId, invite: InviteId) -> Self {
        Self { tenant, invite, secret: Ulid::from_bytes(rand::random()) }
    }

    /// From its text; `None` if anything about it is malformed, its checksum included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX).filter(|_| text.is_ascii())?;
        if rest.len() != 3 * ID + 1 + CHECKSUM {
            return None;
        }
        let part = |at: usize| Ulid::from_string(rest.get(at..at + ID)?).ok();
        let token = Self {
            tenant: TenantId::from_ulid(part(0)?),
            invite: InviteId::from_ulid(part(ID)?),
            secret: part(2 * ID + 1)?,
        };
        // One spelling, and the right checksum.
        (token.text() == text).then_some(token)
    }

    /// Its text, to be sent to whoever is invited and to nobody else.
    #[must_use]
    pub fn text(&self) -> String {
        let body = format!("{PREFIX}{}{}_{}", self.tenant.ulid(), self.invite.ulid(), self.secret);
        format!("{body}{:08x}", crc32fast::hash(body.as_bytes()))
    }

    /// What is kept of it: SHA-256 of the secret, in hex.
    #[must_use]
    pub fn hash(&self) -> String {
        Sha256::digest(self.secret.to_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether it is the one of which this is kept, in a time that doesn't depend on where it differs.
    #[must_use]
    pub fn matches(&self, hash: &str) -> bool {
        self.hash().as_bytes().ct_eq(hash.as_bytes()).into()
    }
}

impl fmt::Debug for InviteToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InviteToken").field("invite", &self.invite).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use proptest::prelude::*;

    fn a_token() -> InviteToken {
        InviteToken::random(TenantId::new(Timestamp(1)), InviteId::new(Timestamp(2)))
    }

    #[test]
    fn a_token_reads_back_and_is_not_printed() {
        let token = a_token();
        let read = InviteToken::parse(&token.text()).unwrap();
        assert_eq!((read.tenant, read.invite), (token.tenant, token.invite));
        assert!(read.matches(&token.hash()) && !a_token().matches(&token.hash()));
        assert!(!format!("{token:?}").contains(&token.secret.to_string()));
    }

    proptest! {
        #[test]
        fn a_token_with_one_character_changed_is_refused(at in 0..91_usize, to in "[!-~]") {
            let token = a_token().text();
            let mut text = token.clone();
            text.replace_range(at..=at, &to);
            prop_assume!(text != token);
            prop_assert!(InviteToken::parse(&text).is_none());
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*|lmi_[0-9A-Z]{52}_[0-9A-Z]{26}[0-9a-f]{8}") {
            let _ = InviteToken::parse(&text);
        }
    }
}
