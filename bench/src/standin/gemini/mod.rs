//! Google's Gemini: `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent?alt=sse`.

mod answer;
mod fault;
mod request;

pub(super) use answer::{body, corrupt, error, malformed, stream};
pub(super) use fault::{bad_request, no_key, refusal};
pub(super) use request::read;
