//! A value that is kept in Secrets Manager as JSON: read when it is first needed, kept at hand for a while, and replaced
//! only by whoever has seen what it replaces.

use std::{
    fmt::Write as _,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_sdk_secretsmanager::{Client, error::SdkError, operation::get_secret_value::GetSecretValueError};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::{
    clock::{Clock, Timestamp},
    error::{Error, Result},
};

/// How long a value is used before it is read again.
pub const FRESH: Duration = Duration::from_mins(5);
/// How long it is used at most, if it can't be read again.
pub const STALE: Duration = Duration::from_mins(15);
/// How long after one reading somebody who misses something may ask for the next.
const PAUSE: Duration = Duration::from_secs(10);

/// The stage of a version that may become the current one (Secrets Manager user guide, rotation).
const PENDING: &str = "AWSPENDING";
const CURRENT: &str = "AWSCURRENT";

/// A secret by its name. Making one reads nothing; clones share what is at hand.
pub struct Secret<T>(Arc<Inner<T>>);

impl<T> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<T> {
    client: Client,
    name: String,
    clock: Clock,
    at_hand: RwLock<Option<Arc<Seen<T>>>>,
    /// When it was last asked for, in milliseconds since the epoch; 0 if never.
    asked_at: AtomicU64,
    /// Whether that failed.
    failed: AtomicBool,
    reading: Mutex<()>,
}

/// A value, and which version of the secret it is.
pub struct Seen<T> {
    /// The value.
    pub value: T,
    version: String,
    at: Timestamp,
}

impl<T: Serialize + DeserializeOwned> Secret<T> {
    /// The secret called `name`.
    #[must_use]
    pub fn new(client: Client, name: String, clock: Clock) -> Self {
        let (at_hand, reading) = (RwLock::default(), Mutex::default());
        let (asked_at, failed) = (AtomicU64::default(), AtomicBool::default());
        Self(Arc::new(Inner { client, name, clock, at_hand, asked_at, failed, reading }))
    }

    /// The value, at most [`FRESH`] old, or [`STALE`] where Secrets Manager fails; `None` if there is none.
    ///
    /// # Errors
    /// `Unavailable` if it can't be read, `Internal` if it is not what it should be.
    pub async fn get(&self) -> Result<Option<Arc<Seen<T>>>> {
        let age = |seen: &Seen<T>| self.0.clock.now().since(seen.at);
        let at_hand = self.at_hand();
        let Some(seen) = at_hand.filter(|seen| age(seen) < STALE) else {
            let _reading = self.0.reading.lock().await;
            let at_hand = self.at_hand().filter(|seen| age(seen) < STALE);
            // Where nothing was found, nothing is; where nothing was to be learnt, somebody waits for it.
            let known = at_hand.is_some() || self.asked_lately() && !self.failed();
            return if known { Ok(at_hand) } else { self.read().await };
        };
        if age(&seen) < FRESH {
            return Ok(Some(seen));
        }
        // Nobody waits for a newer one but who asks for it.
        let Ok(_reading) = self.0.reading.try_lock() else { return Ok(Some(seen)) };
        if self.asked_lately() {
            return Ok(Some(seen));
        }
        self.read().await.or_else(|error| {
            tracing::warn!(error = ?error, "a secret can't be read again; what was read before is used on");
            Ok(Some(seen))
        })
    }

    /// The value, read again unless it just was: for whoever misses something in it.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn newer(&self) -> Result<Option<Arc<Seen<T>>>> {
        let _reading = self.0.reading.lock().await;
        match self.asked_lately() {
            true if self.failed() => Err(Error::Unavailable("a secret can't be read".into())),
            true => Ok(self.at_hand()),
            false => self.read().await,
        }
    }

    /// The value as it is now.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn read(&self) -> Result<Option<Arc<Seen<T>>>> {
        // Everybody who calls waits for this future, and seldom for what is in it: it is kept out of theirs.
        let read = Box::pin(self.ask()).await;
        self.0.failed.store(read.is_err(), Ordering::Relaxed);
        read
    }

    async fn ask(&self) -> Result<Option<Arc<Seen<T>>>> {
        let now = self.0.clock.now();
        self.0.asked_at.store(now.0, Ordering::Relaxed);
        let found = match self.0.client.get_secret_value().secret_id(&self.0.name).send().await {
            Ok(found) => found,
            Err(error) if is_none(&error) => return Ok(None),
            Err(error) => return Err(unavailable(error)),
        };
        // What serde says of it quotes it.
        let value = serde_json::from_str(found.secret_string().unwrap_or_default()).map_err(|_| self.broken())?;
        let version = found.version_id().unwrap_or_default().to_owned();
        Ok(Some(self.keep(Seen { value, version, at: now })))
    }

    /// The value as it is now; if there is none, the first one, which is the same for all who make it at the same time.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn get_or_create(&self, make: impl FnOnce() -> Result<T>) -> Result<Arc<Seen<T>>> {
        if let Some(seen) = self.read().await? {
            return Ok(seen);
        }
        let value = make()?;
        let (text, version) = (self.text(&value)?, self.first_version());
        // A version's id is taken once, so whoever comes second with another value is refused.
        let put = self.0.client.put_secret_value().secret_id(&self.0.name).secret_string(&text);
        let taken = match put.client_request_token(&version).send().await {
            Ok(_) => false,
            Err(error) => match error.into_service_error() {
                error if error.is_resource_exists_exception() => true,
                error if error.is_resource_not_found_exception() => {
                    let create = self.0.client.create_secret().name(&self.0.name).secret_string(text);
                    match create.client_request_token(&version).send().await {
                        Ok(_) => false,
                        Err(error) => match error.into_service_error() {
                            error if error.is_resource_exists_exception() => true,
                            error => return Err(unavailable(error)),
                        },
                    }
                }
                error => return Err(unavailable(error)),
            },
        };
        if !taken {
            return Ok(self.keep(Seen { value, version, at: self.0.clock.now() }));
        }
        self.read().await?.ok_or_else(|| Error::Unavailable("a secret is just being created".into()))
    }

    /// Puts a value in the place of the one that was seen; `false` if somebody else has replaced that meanwhile.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn replace(&self, seen: &Seen<T>, value: T) -> Result<bool> {
        let put = self.0.client.put_secret_value().secret_id(&self.0.name).secret_string(self.text(&value)?);
        let put = put.version_stages(PENDING).send().await.map_err(unavailable)?;
        let version = put.version_id().ok_or_else(|| self.broken())?.to_owned();
        let moved = self.0.client.update_secret_version_stage().secret_id(&self.0.name).version_stage(CURRENT);
        let moved = moved.remove_from_version_id(&seen.version).move_to_version_id(&version).send().await;
        if let Err(error) = moved {
            let error = error.into_service_error();
            // What it says of a stage that is elsewhere is not of its own kind.
            let elsewhere = error.is_invalid_parameter_exception() || error.is_invalid_request_exception();
            let now = if elsewhere { self.read().await? } else { None };
            return match now {
                Some(now) if now.version == version => Ok(true),
                Some(now) if now.version != seen.version => Ok(false),
                _ => Err(unavailable(error)),
            };
        }
        self.keep(Seen { value, version, at: self.0.clock.now() });
        Ok(true)
    }

    fn at_hand(&self) -> Option<Arc<Seen<T>>> {
        self.0.at_hand.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, seen: Seen<T>) -> Arc<Seen<T>> {
        let seen = Arc::new(seen);
        *self.0.at_hand.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&seen));
        seen
    }

    fn asked_lately(&self) -> bool {
        let asked_at = self.0.asked_at.load(Ordering::Relaxed);
        asked_at != 0 && self.0.clock.now().since(Timestamp(asked_at)) < PAUSE
    }

    fn failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// 64 characters, as many as an id may have.
    fn first_version(&self) -> String {
        let digest = Sha256::digest(format!("the first version of {}", self.0.name));
        digest.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a String can't fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    fn text(&self, value: &T) -> Result<String> {
        serde_json::to_string(value).map_err(|_| self.broken())
    }

    fn broken(&self) -> Error {
        Error::internal(format!("the secret `{}` is not what it should be", self.0.name))
    }
}

/// There is no such secret, or nothing in it yet.
fn is_none<R>(error: &SdkError<GetSecretValueError, R>) -> bool {
    error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception)
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unavailable(error.into())
}
