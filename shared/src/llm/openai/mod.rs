//! Servers that speak `OpenAI`'s chat completions: `OpenAI` itself, Azure, vLLM, Ollama, llama.cpp, Groq, `DeepSeek`
//! and most others. Wire text and events are converted by pure code; this file alone does I/O.

use std::sync::Arc;

use futures_util::StreamExt;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};
use tokio::time::{Instant, timeout_at};

use super::{
    Call, Event, Events, ProviderError,
    body::{Body, after},
    provider::Endpoint,
};

pub use stream::StreamDecoder;

mod envelope;
#[cfg(test)]
mod goldens;
mod object;
pub mod request;
pub mod response;
#[cfg(test)]
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

/// The most bytes of an answer that isn't streamed.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// The most bytes of an error that are read.
const MAX_ERROR: usize = 64 * 1024;

/// One such server.
#[derive(Debug, Clone)]
pub struct OpenAi {
    client: Client,
    endpoint: Arc<Endpoint>,
}

impl OpenAi {
    /// The server at `endpoint`, reached through `client`.
    #[must_use]
    pub fn new(client: Client, endpoint: Endpoint) -> Self {
        Self { client, endpoint: Arc::new(endpoint) }
    }

    /// Makes one attempt, as `Provider::call`.
    ///
    /// # Errors
    /// Any `ProviderError` but `Cut`.
    pub async fn call(&self, call: Call<'_>) -> Result<Events, ProviderError> {
        let start = Instant::now();
        let deadline = after(start, call.time_left);
        let first_byte = if call.stream { self.endpoint.first_byte_timeout } else { call.time_left };
        let first_by = after(start, first_byte).min(deadline);
        let sent = timeout_at(first_by, self.request(&call)?.send()).await.map_err(|_| ProviderError::Timeout)?;
        let response = sent.map_err(|error| {
            if error.is_timeout() && !error.is_connect() { ProviderError::Timeout } else { ProviderError::Connect }
        })?;
        let status = response.status();
        let streams = call.stream && status.is_success() && !is_json(&response);
        let headers = response.headers().clone();
        let idle = if call.stream { self.endpoint.idle_timeout } else { call.time_left };
        let body = Body::new(response, first_by, idle, deadline);
        if streams {
            let answer = Answer { body, decoder: StreamDecoder::default(), ended: false };
            return Ok(futures_util::stream::unfold(Some(answer), Answer::step).boxed());
        }
        if !status.is_success() {
            let body = body.whole(MAX_ERROR).await.unwrap_or_default();
            return Err(response::failure(status.as_u16(), &headers, &body));
        }
        let events = response::events(&body.whole(MAX_ANSWER).await?)?;
        Ok(futures_util::stream::iter(events.into_iter().map(Ok)).boxed())
    }

    fn request(&self, call: &Call<'_>) -> Result<RequestBuilder, ProviderError> {
        let mut url = self.endpoint.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["chat", "completions"]);
        }
        let body = request::body(call, self.endpoint.output_limit_field).map_err(|error| ProviderError::Rejected {
            status: 400,
            message: error.to_string(),
            code: None,
            kind: None,
            param: None,
        })?;
        let mut request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, if call.stream { "text/event-stream" } else { "application/json" });
        if let Some(key) = &self.endpoint.api_key {
            let mut bearer = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| ProviderError::Credentials)?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        Ok(request.headers(self.endpoint.headers.clone()).body(body))
    }
}

/// A streamed answer on its way.
struct Answer {
    body: Body,
    decoder: StreamDecoder,
    ended: bool,
}

impl Answer {
    /// The next event and the answer that goes on; after an error nothing does.
    async fn step(answer: Option<Self>) -> Option<(Result<Event, ProviderError>, Option<Self>)> {
        let mut answer = answer?;
        match answer.next().await {
            Ok(Some(event)) => Some((Ok(event), Some(answer))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }

    async fn next(&mut self) -> Result<Option<Event>, ProviderError> {
        loop {
            if let Some(event) = self.decoder.next_event()? {
                return Ok(Some(event));
            }
            if self.ended {
                return Ok(None);
            }
            if self.decoder.is_done() {
                self.body.end().await;
                return Ok(None);
            }
            let Some(bytes) = self.body.next().await? else {
                self.ended = true;
                return self.decoder.finish();
            };
            self.decoder.push(&bytes);
        }
    }
}

/// Whether the server answers with a whole body, though a stream was asked for.
fn is_json(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("application/json"))
}
