//! A wire format.

pub use stream::StreamDecoder;

pub mod request;
pub mod response;
mod stream;
