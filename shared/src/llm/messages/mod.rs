//! Anthropic's Messages (API reference, "Messages"; guides "Streaming", "Tool use", "Extended thinking", "Prompt caching",
//! "Structured outputs").

pub use stream::StreamDecoder;

mod blocks;
mod parameters;
mod pieces;
pub mod request;
pub mod response;
mod source;
mod stop;
mod stream;
mod thinking;
mod tools;
mod turns;
mod usage;

#[cfg(test)]
crate::llm::goldens::goldens!(crate::llm::WireFormat::Messages);
