//! `OpenAI`'s Responses (API reference, "Responses" and "Streaming events"), which `OpenAI` itself, Azure, vLLM and
//! others speak. LMO keeps nothing at the provider: every request says `store: false` and carries all of its conversation.

pub use stream::StreamDecoder;

mod failure;
mod input;
mod item;
mod parameter;
pub mod reasoning;
pub mod request;
pub mod response;
mod stream;
mod tools;
mod usage;

#[cfg(test)]
crate::llm::goldens::goldens!(crate::llm::WireFormat::Responses);
