//! The providers, a closed set, and how one is reached.

use std::{fmt, time::Duration};

use futures_util::{StreamExt, stream};
use http::HeaderMap;
use reqwest::{Client, Url, redirect};
use serde::{Deserialize, Serialize};

use super::{
    Call, Events, ProviderError, echo,
    embed::{EmbedCall, Embedded, hash},
    format::WireFormat,
    server::Server,
};
use crate::aws::Signer;

/// Who answers.
#[derive(Debug, Clone)]
pub enum Provider {
    /// A server that is reached over HTTP.
    Server(Server),
    /// The stand-in that repeats what it hears.
    Echo,
}

impl Provider {
    /// Makes one attempt. Returns when the head of a streamed answer was good, or when a whole answer is there;
    /// dropping the events closes the connection at once.
    ///
    /// # Errors
    /// Any `ProviderError` but `Cut`, which, as others, can also come out of the stream.
    pub async fn call(&self, call: Call<'_>) -> Result<Events, ProviderError> {
        match self {
            Self::Server(server) => server.call(call).await,
            Self::Echo => Ok(stream::iter(echo::answer(&call).into_iter().map(Ok)).boxed()),
        }
    }

    /// Makes one attempt to turn texts into vectors.
    ///
    /// # Errors
    /// Any `ProviderError`.
    pub async fn embed(&self, call: EmbedCall<'_>) -> Result<Embedded, ProviderError> {
        match self {
            Self::Server(server) => server.embed(call).await,
            Self::Echo => hash::embed(call).await,
        }
    }

    /// The most inputs that one call for vectors may have.
    ///
    /// # Errors
    /// `Unsupported` if the provider or the model has no embeddings.
    pub fn most_inputs(&self, model: &str) -> Result<usize, ProviderError> {
        match self {
            Self::Server(server) => server.most_inputs(model),
            Self::Echo => Ok(usize::MAX),
        }
    }
}

/// Where a provider is and how long to wait for it.
#[derive(Clone)]
pub struct Endpoint {
    /// What it speaks.
    pub format: WireFormat,
    /// Up to and without `/chat/completions`, `/messages` and so on. A query (Azure's `api-version`) stays.
    pub base_url: Url,
    /// Sent as the format wants it: as a bearer token, `x-api-key` or `x-goog-api-key`.
    pub api_key: Option<String>,
    /// Signs requests that go without a key.
    pub signer: Option<Signer>,
    /// How long a stream's first piece may take, its head included.
    pub first_byte_timeout: Duration,
    /// How long the head of an answer may take that isn't streamed: it comes when the answer is complete.
    pub answer_timeout: Duration,
    /// How long each further piece may take, also of an answer that isn't streamed.
    pub idle_timeout: Duration,
    /// How the output limit is called there.
    pub output_limit_field: OutputLimitField,
    /// Further header fields, such as Azure's `api-key`.
    pub headers: HeaderMap,
}

/// An HTTP client for endpoints with this connect timeout; it is cheap to clone. It follows no redirect: a prompt goes
/// where the operator said and nowhere else.
///
/// # Errors
/// If TLS can't be set up.
pub(super) fn client(connect_timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_mins(1))
        .redirect(redirect::Policy::none())
        .build()
}

/// Shows no credential: neither the key nor the values of header fields.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("format", &self.format)
            .field("base_url", &self.base_url.origin().ascii_serialization())
            .field("api_key", &self.api_key.as_ref().map(|_| "***"))
            .field("signer", &self.signer.as_ref().map(|_| "***"))
            .field("first_byte_timeout", &self.first_byte_timeout)
            .field("answer_timeout", &self.answer_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("output_limit_field", &self.output_limit_field)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// How a server calls the most tokens of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputLimitField {
    /// The old name, which every server knows.
    #[default]
    MaxTokens,
    /// The new name, the only one that `OpenAI`'s reasoning models take.
    MaxCompletionTokens,
}

impl OutputLimitField {
    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn debug_shows_no_credential() {
        let endpoint = Endpoint {
            format: WireFormat::ChatCompletions,
            signer: None,
            base_url: "https://user:secret@api.example.com/v1?key=secret".parse().unwrap(),
            api_key: Some("secret".to_owned()),
            first_byte_timeout: Duration::ZERO,
            answer_timeout: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            output_limit_field: OutputLimitField::default(),
            headers: [(http::header::COOKIE, HeaderValue::from_static("secret"))].into_iter().collect(),
        };
        assert!(!format!("{endpoint:?}").contains("secret"));
    }
}
