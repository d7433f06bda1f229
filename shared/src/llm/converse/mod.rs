//! Amazon Bedrock's Converse and `ConverseStream` (Amazon Bedrock API reference, "Amazon Bedrock Runtime"). Requests are
//! signed, unless they have an API key of Bedrock's.

pub use stream::StreamDecoder;

mod answer;
mod blocks;
mod documents;
mod events;
mod media;
mod model_fields;
pub mod request;
pub mod response;
mod stream;
mod tools;
mod turns;

#[cfg(test)]
crate::llm::goldens::goldens!(crate::llm::WireFormat::Converse);
