//! Passwords: what a new one must be, and how one is kept and compared. A password is hashed on threads of its own, a
//! few at a time, so that a wave of sign-ins leaves processor time and memory to everything else.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{self, Output, ParamsString, Salt},
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, TryAcquireError};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use crate::error::{Error, Result};

mod common;
mod rules;
#[cfg(test)]
mod tests;

pub use rules::NewPassword;

/// The most characters of a password. Argon2 digests all of them first, so a long one costs what a short one does.
pub const LONGEST: usize = 256;

/// Argon2id's memory in KiB, passes and lanes: OWASP's Password Storage Cheat Sheet, second of its equal
/// configurations. More memory and one pass is no safer, and touches more pages that a fresh process has to be given;
/// less memory and more passes is slower, and memory is what a Lambda function has in plenty: a fraction of a processor
/// large enough to hash quickly comes with hundreds of megabytes.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How many requests may wait for each thread that hashes. The last of them waits about a second.
const WAITING: usize = 32;
/// The most threads that hash, whatever the machine has: 76 MB.
const MOST_THREADS: usize = 4;

/// A password as somebody presents it: at most [`LONGEST`] characters. Its text is never shown.
///
/// It is normalised as RFC 8265 has it (`OpaqueString`: spaces of all kinds are the ASCII space, then NFC), as NIST SP
/// 800-63B-4 section 3.1.1.2 asks for: the same keys give other code points on another system.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, format = Password, max_length = 256)]
pub struct Password(String);

impl Password {
    /// The password that somebody typed.
    ///
    /// # Errors
    /// It has more than [`LONGEST`] characters.
    pub fn parse(text: &str) -> Result<Self> {
        let space = |c| if is_space(c) { ' ' } else { c };
        // A character is at most four bytes, and no character is composed of more than a few.
        let text: String = text.chars().map(space).nfc().take(LONGEST + 1).collect();
        if text.chars().nth(LONGEST).is_some() {
            return Err(Error::invalid("password", format!("a password has at most {LONGEST} characters")));
        }
        Ok(Self(text))
    }
}

/// Unicode's space separators.
fn is_space(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

impl TryFrom<String> for Password {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

/// What is kept of a password: a PHC string with algorithm, parameters, salt and hash. It is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    fn is_of_today(&self) -> bool {
        self.0.starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

/// Whether a presented password is the one that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Right,
    /// It is, but was hashed with other parameters than today's; this is to be kept instead.
    RightButStale(PasswordHash),
    /// It isn't, or there is none.
    Wrong,
}

/// Hashes passwords and compares them. Clones share the threads.
#[derive(Debug, Clone)]
pub struct Passwords {
    /// One for each password that is being hashed or waits.
    room: Arc<Semaphore>,
    /// One for each password that is being hashed.
    threads: Arc<Semaphore>,
    /// What was hashed in before: as much as there were threads at once. Memory that is asked for anew each time costs
    /// half as long again, and more and more of it, as the allocator keeps what it can't use again.
    memory: Arc<Mutex<Vec<Memory>>>,
}

/// What a password is hashed in.
type Memory = Vec<Block>;

impl Passwords {
    /// All of a process: one processor is left to other requests, if there are two.
    #[must_use]
    pub fn of_process() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self::new(processors.saturating_sub(1).clamp(1, MOST_THREADS), WAITING)
    }

    /// With so many threads that hash, and so many requests that wait for each.
    fn new(threads: usize, waiting: usize) -> Self {
        let room = Arc::new(Semaphore::new(threads * (1 + waiting)));
        Self { room, threads: Arc::new(Semaphore::new(threads)), memory: Arc::default() }
    }

    /// What is kept of a new password.
    ///
    /// # Errors
    /// `Unavailable` if too many others wait.
    pub async fn hash(&self, password: &NewPassword) -> Result<PasswordHash> {
        let password = password.password().clone();
        self.work(move |memory| hash(&password, memory)).await?
    }

    /// Whether a password is the one that is kept. Takes as long if nothing is kept: for accounts that don't exist or
    /// have no password, so that nobody learns which do.
    ///
    /// # Errors
    /// `Unavailable` if too many others wait; `Internal` if what is kept is no PHC string.
    pub async fn verify(&self, password: &Password, kept: Option<&PasswordHash>) -> Result<Verdict> {
        let (password, kept) = (password.clone(), kept.cloned());
        self.work(move |memory| verify(&password, kept.as_ref(), memory)).await?
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce(&mut Memory) -> T + Send + 'static) -> Result<T> {
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => Error::Unavailable("too many passwords are waiting to be hashed".into()),
            TryAcquireError::Closed => Error::internal(error),
        })?;
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(Error::internal)?;
        let at_hand = Arc::clone(&self.memory);
        // What has begun is finished, also if the client has left: it holds its thread until then.
        let hashing = tokio::task::spawn_blocking(move || {
            let mut memory = at_hand.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            let done = work(&mut memory);
            at_hand.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
            drop((thread, place));
            done
        });
        hashing.await.map_err(Error::internal)
    }
}

fn today() -> Result<(Argon2<'static>, Params)> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
    Ok((Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone()), params))
}

fn hash(password: &Password, memory: &mut Memory) -> Result<PasswordHash> {
    let (argon2, params) = today()?;
    let salt: [u8; 16] = rand::random();
    let hash = phc::PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(Error::internal)?,
        salt: Some(Salt::new(&salt).map_err(Error::internal)?),
        hash: Some(output(&argon2, &params, password, &salt, Params::DEFAULT_OUTPUT_LEN, memory)?),
    };
    Ok(PasswordHash(hash.to_string()))
}

fn verify(password: &Password, kept: Option<&PasswordHash>, memory: &mut Memory) -> Result<Verdict> {
    let Some(kept) = kept else {
        return hash(password, memory).map(|_| Verdict::Wrong);
    };
    let parsed = phc::PasswordHash::new(&kept.0).map_err(Error::internal)?;
    let params = Params::try_from(&parsed).map_err(Error::internal)?;
    let algorithm = Algorithm::new(parsed.algorithm.as_str()).map_err(Error::internal)?;
    let version = parsed.version.map(Version::try_from).transpose().map_err(Error::internal)?.unwrap_or_default();
    let (Some(salt), Some(expected)) = (&parsed.salt, &parsed.hash) else {
        return Err(Error::internal("a password is kept without salt or hash"));
    };
    let argon2 = Argon2::new(algorithm, version, params.clone());
    // Outputs are compared in constant time.
    if output(&argon2, &params, password, salt, expected.len(), memory)? != *expected {
        return Ok(Verdict::Wrong);
    }
    if kept.is_of_today() { Ok(Verdict::Right) } else { hash(password, memory).map(Verdict::RightButStale) }
}

fn output(
    argon2: &Argon2<'_>,
    params: &Params,
    password: &Password,
    salt: &[u8],
    length: usize,
    memory: &mut Memory,
) -> Result<Output> {
    memory.resize(params.block_count(), Block::new());
    let mut bytes = [0; Output::MAX_LENGTH];
    let bytes = &mut bytes[..length];
    argon2.hash_password_into_with_memory(password.0.as_bytes(), salt, bytes, memory).map_err(Error::internal)?;
    Output::new(bytes).map_err(Error::internal)
}
