//! `OpenAI`'s chat completions. Its bytes are written by hand, because the load generator measures against it.

mod completion;
mod parts;
mod request;
mod stream;

pub(super) use completion::body;
pub(super) use request::read;
pub(super) use stream::{corrupt, error, malformed, stream};
