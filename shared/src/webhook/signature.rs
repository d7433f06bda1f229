//! Signatures (Standard Webhooks 1.0.0, "Signature scheme"): HMAC-SHA256 over id, time and body, so that a receiver knows
//! who sent what and when.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{clock::Timestamp, id::MessageId};

const PREFIX: &str = "whsec_";

/// A secret that a webhook and LMO share.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret([u8; 32]);

impl SigningSecret {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(rand::random())
    }

    /// From its bytes; `None` unless there are 32.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes, to be sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a receiver needs it: `whsec_` and base64.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(self.0))
    }

    /// The signature of a message, as in `v1,…`.
    fn sign(&self, content: &[u8]) -> String {
        sign(&self.0, content)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(***)")
    }
}

/// The header fields of a message that is sent at a time, signed with each of the secrets.
#[must_use]
pub fn headers(id: MessageId, at: Timestamp, body: &str, secrets: &[SigningSecret]) -> HeaderMap {
    let (id, time) = (id.to_string(), at.seconds().to_string());
    let content = format!("{id}.{time}.{body}");
    let signatures: Vec<_> = secrets.iter().map(|secret| secret.sign(content.as_bytes())).collect();
    let mut headers = HeaderMap::new();
    for (name, value) in [("id", id), ("timestamp", time), ("signature", signatures.join(" "))] {
        let name = HeaderName::try_from(format!("webhook-{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers
}

fn sign(secret: &[u8], content: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    format!("v1,{}", BASE64_STANDARD.encode(hmac::sign(&key, content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_published_example() {
        // The example of the specification's libraries.
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let content = br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
        assert_eq!(sign(&secret, content), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_message_is_signed_with_every_secret() {
        let (old, new) = (SigningSecret::generate(), SigningSecret::generate());
        let id = MessageId::new(Timestamp(5));
        let headers = headers(id, Timestamp(1_614_265_330_999), "{}", &[new.clone(), old.clone()]);
        let field = |name| headers[name].to_str().unwrap();
        assert_eq!((field("webhook-id"), field("webhook-timestamp")), (id.to_string().as_str(), "1614265330"));
        let content = format!("{id}.1614265330.{{}}");
        let expected = format!("{} {}", new.sign(content.as_bytes()), old.sign(content.as_bytes()));
        assert_eq!(field("webhook-signature"), expected);
    }

    #[test]
    fn a_secret_is_32_bytes_and_not_shown() {
        let secret = SigningSecret::generate();
        let text = secret.text();
        let bytes = BASE64_STANDARD.decode(text.strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(SigningSecret::from_bytes(&bytes), Some(secret.clone()));
        assert_eq!(SigningSecret::from_bytes(&bytes[1..]), None);
        assert!(!format!("{secret:?}").contains(&text[6..]));
    }
}
