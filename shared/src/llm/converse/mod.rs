//! Amazon Bedrock's Converse and `ConverseStream` (Amazon Bedrock API reference, "Amazon Bedrock Runtime"). Requests are
//! signed, unless they have an API key of Bedrock's.

pub use stream::StreamDecoder;

pub mod credentials;
pub mod request;
pub mod response;
pub mod sign;
mod stream;
