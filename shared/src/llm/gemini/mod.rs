//! Google's Gemini API, `generateContent` and `streamGenerateContent` (ai.google.dev, "Gemini API reference").

pub use stream::StreamDecoder;

mod answer;
mod config;
mod contents;
mod generation;
mod logprobs;
mod media;
mod parts;
mod reader;
pub mod request;
pub mod response;
mod signature;
mod status;
mod stream;
mod tools;

#[cfg(test)]
crate::llm::goldens::goldens!(crate::llm::WireFormat::Gemini);
