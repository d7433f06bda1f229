//! E-mail addresses, as far as mail services agree on them: a strict part of RFC 5321.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::error::{Error, Result};

/// An address in lower case, at most 254 ASCII characters: what providers of mail treat as one mailbox is one address.
/// No quotes, no comments, no display name, no IP address; a domain with other letters in its ASCII form (`xn--`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, format = Email, max_length = 254)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// The address that somebody typed.
    ///
    /// # Errors
    /// `Invalid` for `email`.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let good = text.len() <= 254
            && text.split_once('@').is_some_and(|(local, domain)| is_local(local) && is_domain(domain));
        if good { Ok(Self(text.to_ascii_lowercase())) } else { Err(Error::invalid("email", "not an e-mail address")) }
    }

    /// Its text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is before the `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }

    /// What is behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, domain)| domain)
    }

    /// SHA-256 of its text in hexadecimal: what it is looked up by.
    #[must_use]
    pub fn hash(&self) -> String {
        Sha256::digest(&self.0).iter().fold(String::with_capacity(64), |mut hash, byte| {
            // A string takes whatever is written.
            let _ = write!(hash, "{byte:02x}");
            hash
        })
    }
}

/// An RFC 5321 dot-string of at most 64 characters.
fn is_local(local: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    local.len() <= 64 && local.split('.').all(is_atom)
}

/// Two or more labels of letters, digits and inner hyphens, the last with a letter.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.contains('.') && domain.split('.').all(is_label) && last.bytes().any(|b| b.is_ascii_alphabetic())
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not the address: it is somebody's.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(***)")
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_in_use_are_addresses() {
        let long = format!("{}@{}.org", "a".repeat(64), "b".repeat(63));
        for good in ["a@b.co", "ann.o'neil+lmo@mail.example.org", "x_y-z@xn--mnchen-3ya.de", "1@2.museum", &long] {
            assert_eq!(EmailAddress::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let (long, longer) = (format!("{}@b.co", "a".repeat(65)), format!("a@{}co", "b.".repeat(130)));
        let bad = [
            "",
            "@",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a@b@c.co",
            "a b@c.co",
            "a@b..co",
            ".a@b.co",
            "a.@b.co",
            "a..b@c.co",
            "a@-b.co",
            "a@b-.co",
            "a@b.co.",
            "a@127.0.0.1",
            "a@[127.0.0.1]",
            "\"a\"@b.co",
            "Ann <a@b.co>",
            "a@b.co,c@d.co",
            "a@b.co\r\nBcc: c@d.co",
            "a\0@b.co",
            "ü@b.co",
            "a@ü.de",
            "a(x)@b.co",
            &long,
            &longer,
        ];
        for bad in bad {
            let error = EmailAddress::parse(bad).unwrap_err();
            assert_eq!(error.code(), "invalid_request", "{bad}");
        }
    }

    #[test]
    fn one_mailbox_is_one_address() {
        let one = EmailAddress::parse(" Ann@Example.ORG\n").unwrap();
        assert_eq!(one, EmailAddress::parse("ann@example.org").unwrap());
        assert_eq!((one.local(), one.domain()), ("ann", "example.org"));
        assert_eq!(one.hash(), "438c4c7afe600cdf1e455c369bec76dc970fc8ca463447c7b387a347f3c79331");
    }

    proptest! {
        #[test]
        fn no_address_has_a_character_that_ends_a_header_field(text in "[\\PC\r\n\t ]{0,12}@[\\PC\r\n. ]{0,12}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert!(address.as_str().bytes().all(|byte| byte.is_ascii_graphic() && !b",;:<>()[]\"\\".contains(&byte)));
            }
        }
    }
}
