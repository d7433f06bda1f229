//! Requests to AWS that no SDK client sends: signed with the credentials of the process.

mod credentials;
mod sign;

pub use credentials::{CachedCredentials, NoCredentials};
pub use sign::Signer;
