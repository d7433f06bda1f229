//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that creates something is carried out once,
//! and whoever sends it again within a day gets the same response.
//!
//! The response is written in the transaction that creates, so there is no moment in which one is there without the
//! other. It may hold a secret that is shown once, so it is sealed with a key made of the `Idempotency-Key` itself, of
//! which the table has a hash alone. The hash of the request is made with it, too: a request may have a password in it.

use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use axum::{
    extract::{FromRequest, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{Failure, Handled, body};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    store::{Change, Committed, Partition, keys, number},
};

const NAME: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that a response is one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const KEPT: Duration = Duration::from_hours(24);

/// The body of a request that creates something, and whether it is to be carried out once.
pub struct Create<T> {
    /// The body.
    pub body: T,
    /// Carries it out.
    pub once: Once,
}

/// Carries a request out, once if its client wants that.
pub struct Once {
    path: String,
    key: Option<String>,
    body: [u8; 32],
}

/// What a request has created.
pub struct Created<T> {
    /// The status of the response.
    pub status: StatusCode,
    /// Its body.
    pub body: T,
    /// What to fail with if a condition of the change does not hold.
    pub refused: Error,
}

/// A response that was given, as it is kept.
#[derive(Serialize, Deserialize)]
struct Given {
    request: String,
    status: u16,
    sealed: String,
    /// In seconds since the epoch.
    expires_at: u64,
}

/// Whether a response was given before.
#[must_use]
pub fn is_replayed(response: &Response) -> bool {
    response.headers().contains_key(REPLAYED)
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Create<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        const LONGEST: usize = 255;
        let bad = || Error::invalid("Idempotency-Key", "Idempotency-Key must have 1 to 255 printable ASCII characters");
        let key = match request.headers().get(NAME) {
            None => None,
            Some(key) => {
                let good = (1..=LONGEST).contains(&key.len()) && key.as_bytes().iter().all(u8::is_ascii_graphic);
                Some(key.to_str().ok().filter(|_| good).ok_or_else(bad)?.to_owned())
            }
        };
        let path = format!("{} {}", request.method(), request.uri().path());
        let bytes = body::read(request).await?;
        let once = Once { path, body: fingerprint(key.as_deref(), &bytes), key };
        Ok(Self { body: body::parse(&bytes)?, once })
    }
}

impl Once {
    /// Carries the request out: `work` adds to the change what it creates, and says what to respond. `who` is whoever
    /// asks; the response is kept in the partition `at`.
    ///
    /// # Errors
    /// What `work` fails with, and what it says to fail with if a condition does not hold; `IdempotencyMismatch`;
    /// `Unavailable`.
    pub async fn run<T: Serialize>(
        &self,
        at: &Partition,
        who: &str,
        now: Timestamp,
        work: impl AsyncFnOnce(&mut Change) -> Result<Created<T>>,
    ) -> Handled<Response> {
        if let Some(given) = self.given(at, who, now).await? {
            return Ok(given);
        }
        let mut change = Change::new(at.table());
        let created = work(&mut change).await?;
        let body = serde_json::to_vec(&created.body).map_err(Error::internal)?;
        let kept = self.keep(&mut change, at, who, now, created.status, &body)?;
        match change.commit().await? {
            Committed::Yes => Ok(respond(created.status, body.into())),
            // The same request was quicker.
            Committed::Refused(steps) if kept.is_some_and(|step| steps.contains(&step)) => {
                Ok(self.given(at, who, now).await?.ok_or(created.refused)?)
            }
            Committed::Refused(_) => Err(created.refused.into()),
        }
    }

    /// Whether a response to its `Idempotency-Key` is kept, whatever the body was.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn is_kept(&self, at: &Partition, who: &str, now: Timestamp) -> Result<bool> {
        Ok(self.kept(at, who, now).await?.is_some())
    }

    async fn kept(&self, at: &Partition, who: &str, now: Timestamp) -> Result<Option<Given>> {
        let Some(sort) = self.sort(who) else { return Ok(None) };
        let given: Option<Given> = at.find(&sort).await?;
        // TTL deletes late.
        Ok(given.filter(|given| given.expires_at > now.seconds()))
    }

    async fn given(&self, at: &Partition, who: &str, now: Timestamp) -> Result<Option<Response>> {
        let Some(given) = self.kept(at, who, now).await? else { return Ok(None) };
        if given.request != BASE64_STANDARD.encode(self.body) {
            return Err(Error::IdempotencyMismatch);
        }
        let status = StatusCode::from_u16(given.status).map_err(Error::internal)?;
        let mut response = respond(status, self.open(&given.sealed)?.into());
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(Some(response))
    }

    fn keep(
        &self,
        change: &mut Change,
        at: &Partition,
        who: &str,
        now: Timestamp,
        status: StatusCode,
        body: &[u8],
    ) -> Result<Option<crate::store::Step>> {
        let Some(sort) = self.sort(who) else { return Ok(None) };
        let given = Given {
            request: BASE64_STANDARD.encode(self.body),
            status: status.as_u16(),
            sealed: self.seal(body)?,
            expires_at: now.after(KEPT).seconds(),
        };
        let condition = "attribute_not_exists(pk) OR expires_at <= :now";
        change.put_if(at, &sort, &given, condition, &[(":now", number(now.seconds()))]).map(Some)
    }

    /// Where its response is kept: nobody else's key, and no other route's, is the same.
    fn sort(&self, who: &str) -> Option<String> {
        let key = self.key.as_ref()?;
        let hash = Sha256::digest(format!("lmo once\n{who}\n{}\n{key}", self.path));
        Some(keys::once(&BASE64_URL_SAFE_NO_PAD.encode(hash)))
    }

    fn cipher(&self) -> Result<RandomizedNonceKey> {
        let key = self.key.as_deref().unwrap_or_default();
        let key = Sha256::digest(format!("lmo once sealed\n{key}"));
        RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| Error::internal("a key of 32 bytes was refused"))
    }

    fn seal(&self, body: &[u8]) -> Result<String> {
        let mut sealed = body.to_vec();
        let aad = Aad::from(self.path.as_bytes());
        let nonce = self.cipher()?.seal_in_place_append_tag(aad, &mut sealed);
        let nonce = nonce.map_err(|_| Error::internal("a response can't be sealed"))?;
        Ok(BASE64_STANDARD.encode([nonce.as_ref().as_slice(), &sealed].concat()))
    }

    fn open(&self, sealed: &str) -> Result<Vec<u8>> {
        let broken = || Error::internal("a kept response can't be opened");
        let bytes = BASE64_STANDARD.decode(sealed).map_err(Error::internal)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(broken)?;
        let mut sealed = sealed.to_vec();
        let aad = Aad::from(self.path.as_bytes());
        let opened = self.cipher()?.open_in_place(Nonce::from(nonce), aad, &mut sealed);
        Ok(opened.map_err(|_| broken())?.to_vec())
    }
}

/// What tells a body from another one. Without the `Idempotency-Key`, which the table doesn't have, nobody can try what
/// the body was.
fn fingerprint(key: Option<&str>, body: &[u8]) -> [u8; 32] {
    let start = format!("lmo once body\n{}\n", key.unwrap_or_default());
    Sha256::new().chain_update(start).chain_update(body).finalize().into()
}

fn respond(status: StatusCode, body: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_body_cannot_be_compared_without_the_key() {
        let body = b"{\"password\":\"correct horse\"}";
        let kept = fingerprint(Some("order-1"), body);
        assert_eq!(kept, fingerprint(Some("order-1"), body));
        assert_ne!(kept, fingerprint(Some("order-2"), body));
        assert_ne!(kept, fingerprint(Some("order-1"), b"{}"));
        assert_ne!(kept, <[u8; 32]>::from(Sha256::digest(body)));
    }
}
