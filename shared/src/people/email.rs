//! Addresses of people: in one spelling, and by a hash of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::error::Error;

/// The longest address: RFC 5321 section 4.5.3.1.3, without the angle brackets.
const LONGEST: usize = 254;
/// The longest part before the `@`: RFC 5321 section 4.5.3.1.1.
const LONGEST_LOCAL: usize = 64;

/// An address that mail can be sent to, in lower case: whoever writes another case means the same person.
///
/// ASCII alone (internationalised domains in their `xn--` form), no quotes and no comments: what mail services take, and
/// nothing that could end a header line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, format = "email", max_length = 254, example = "ada@example.com")]
pub struct Email(String);

impl Email {
    /// From text; spaces around it are dropped. `None` if it can't be an address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let (local, domain) = text.rsplit_once('@')?;
        let good = text.len() <= LONGEST && local.len() <= LONGEST_LOCAL && is_local(local) && is_domain(domain);
        good.then_some(Self(text))
    }

    /// The same, for a field of a request.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn of_field(param: &str, text: &str) -> Result<Self, Error> {
        Self::parse(text).ok_or_else(|| Error::invalid(param, format!("{param} must be an e-mail address")))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// SHA-256 of it, in hex: what its partition is called.
    #[must_use]
    pub fn hash(&self) -> String {
        format!("{:x}", Sha256::digest(self.0.as_bytes()))
    }
}

/// RFC 5322's dot-atom.
fn is_local(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(good))
}

/// A host name of at least two labels, RFC 1123 section 2.1.
fn is_domain(text: &str) -> bool {
    let good = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.contains('.') && text.split('.').all(good)
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

impl TryFrom<String> for Email {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not an e-mail address")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_has_one_spelling_and_one_hash() {
        let (one, other) = (Email::parse(" Ada@Example.COM ").unwrap(), Email::parse("ada@example.com").unwrap());
        assert_eq!((one.as_str(), one.hash()), ("ada@example.com", other.hash()));
        assert_eq!(one.hash().len(), 64);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "ada@-a.com",
            "ada@a..com",
            ".ada@example.com",
            "ada..b@example.com",
            "a b@example.com",
            "ada@example.com\r\nBcc: b@example.com",
            "\"a\"@example.com",
            "ada@exämple.com",
            "a@b@example.com",
            &long,
        ] {
            assert_eq!(Email::parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn an_address_has_nothing_that_could_end_a_line(text in "\\PC*@\\PC*|.*") {
            if let Some(email) = Email::parse(&text) {
                prop_assert!(email.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
