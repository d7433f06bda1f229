//! The credentials of the process, kept between requests: what an SDK client does for itself. The provider chain alone
//! asks its source each time, which may be another server.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use tokio::sync::Mutex;

use crate::clock::Clock;

/// How long before they expire credentials are replaced: longer than a request is on its way.
const BEFORE_EXPIRY: Duration = Duration::from_secs(30);
/// How long credentials are used that don't say when they expire: how late changed ones are noticed.
const FRESH: Duration = Duration::from_mins(15);

/// There are no credentials to sign with, or a request can't be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no AWS credentials to sign with")]
pub struct NoCredentials;

/// Credentials that are asked for only when the last ones are used up.
#[derive(Debug, Clone)]
pub struct CachedCredentials {
    source: SharedCredentialsProvider,
    clock: Clock,
    /// The last ones, and until when they are used.
    last: Arc<Mutex<Option<(Credentials, SystemTime)>>>,
}

impl CachedCredentials {
    /// Credentials of this source.
    #[must_use]
    pub fn new(source: SharedCredentialsProvider, clock: Clock) -> Self {
        Self { source, clock, last: Arc::default() }
    }

    /// Credentials that are good for now. Callers who need new ones at once wait for the same.
    ///
    /// # Errors
    /// If the source has none.
    pub async fn get(&self) -> Result<Credentials, NoCredentials> {
        let mut last = self.last.lock().await;
        let now = SystemTime::from(self.clock.now());
        if let Some((credentials, _)) = last.as_ref().filter(|(_, until)| now < *until) {
            return Ok(credentials.clone());
        }
        let fresh = self.source.provide_credentials().await.map_err(|error| {
            tracing::warn!(%error, "no AWS credentials");
            NoCredentials
        })?;
        let expiry = fresh.expiry().and_then(|expiry| expiry.checked_sub(BEFORE_EXPIRY));
        let until = expiry.map_or(now + FRESH, |expiry| expiry.min(now + FRESH));
        *last = Some((fresh.clone(), until));
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use aws_credential_types::{credential_fn::provide_credentials_fn, provider::error::CredentialsError};

    use super::*;
    use crate::clock::Timestamp;

    /// Credentials that are good for `seconds`, the first named `key-1`, and the clock they go by.
    fn source(seconds: Option<u64>) -> (CachedCredentials, Clock) {
        let clock = Clock::manual(Timestamp(1_000_000_000));
        let (asked, now) = (Arc::new(AtomicU64::new(0)), clock.clone());
        let provider = provide_credentials_fn(move || {
            let key = format!("key-{}", asked.fetch_add(1, Ordering::SeqCst) + 1);
            let expiry = seconds.map(|seconds| SystemTime::from(now.now()) + Duration::from_secs(seconds));
            async move { Ok(Credentials::new(key, "secret", None, expiry, "test")) }
        });
        (CachedCredentials::new(SharedCredentialsProvider::new(provider), clock.clone()), clock)
    }

    async fn key(credentials: &CachedCredentials) -> String {
        credentials.get().await.unwrap().access_key_id().to_owned()
    }

    #[tokio::test]
    async fn credentials_are_used_until_shortly_before_they_expire() {
        let (credentials, clock) = source(Some(100));
        assert_eq!(key(&credentials).await, "key-1");
        clock.advance(Duration::from_secs(69));
        assert_eq!(key(&credentials).await, "key-1");
        clock.advance(Duration::from_secs(1));
        assert_eq!(key(&credentials).await, "key-2");
    }

    #[tokio::test]
    async fn credentials_without_an_expiry_are_asked_for_again_in_time() {
        let (credentials, clock) = source(None);
        assert_eq!(key(&credentials).await, "key-1");
        clock.advance(FRESH);
        assert_eq!(key(&credentials).await, "key-2");
    }

    #[tokio::test]
    async fn callers_at_once_ask_once() {
        let (credentials, _) = source(Some(100));
        let (one, other) = tokio::join!(key(&credentials), key(&credentials));
        assert_eq!((one.as_str(), other.as_str()), ("key-1", "key-1"));
    }

    #[tokio::test]
    async fn a_source_without_credentials_is_an_error_that_is_asked_again() {
        let provider = provide_credentials_fn(|| async { Err(CredentialsError::not_loaded("none")) });
        let credentials = CachedCredentials::new(SharedCredentialsProvider::new(provider), Clock::System);
        for _ in 0..2 {
            assert_eq!(credentials.get().await, Err(NoCredentials));
        }
    }
}
