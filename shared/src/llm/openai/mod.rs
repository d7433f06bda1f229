//! `OpenAI`'s chat completions, which `OpenAI` itself, Azure, vLLM, Ollama, llama.cpp, Groq, `DeepSeek` and most others
//! speak (API reference, "Chat").

pub use stream::StreamDecoder;

mod envelope;
mod foreign;
mod object;
pub mod request;
pub mod response;
mod stream;
mod usage;

#[cfg(test)]
crate::llm::goldens::goldens!(crate::llm::WireFormat::ChatCompletions);
