//! People: who they are, how they prove it, and the sign-ins that they have.
//!
//! A person is known to the whole deployment and may be a member of several tenants; a sign-in is for one of them at a
//! time.

mod email;
mod refresh_token;
mod sign_in;
mod user;

pub use email::Email;
pub use refresh_token::{RefreshToken, TokenHashes};
pub use sign_in::{SignIn, SignIns};
pub use user::{SecondFactor, User, Users};
