//! The AWS SDK as functions want it, and signatures for requests to AWS that no SDK client sends.

mod credentials;
mod sdk;
mod sign;

pub use credentials::{CachedCredentials, NoCredentials};
pub(crate) use sdk::of_function;
pub use sign::Signer;
