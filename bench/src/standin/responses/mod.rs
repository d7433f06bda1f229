//! `OpenAI`'s Responses: `POST /v1/responses`.

mod items;
mod object;
mod request;
mod stream;

pub(super) use object::body;
pub(super) use request::read;
pub(super) use stream::{corrupt, error, malformed, stream};
