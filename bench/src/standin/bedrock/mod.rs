//! Amazon Bedrock's Converse: `POST /model/{model}/converse` and `/converse-stream`.

mod answer;
mod fault;
mod frame;
mod request;
mod stream;

pub(super) use answer::body;
pub(super) use fault::{bad_request, no_key, refusal};
pub(super) use request::read;
pub(super) use stream::{corrupt, error, malformed, stream};
