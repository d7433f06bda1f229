//! Anthropic's Messages: `POST /v1/messages`.

mod fault;
mod message;
mod request;
mod stream;

pub(super) use fault::{ORGANIZATION, bad_request, no_key, refusal, request_id};
pub(super) use message::body;
pub(super) use request::read;
pub(super) use stream::{corrupt, error, malformed, stream};
