//! A provider's server, reached over HTTP. This file alone does I/O; wire text and events are converted by the pure
//! code of its wire format.

use std::sync::Arc;

use futures_util::StreamExt;
use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use reqwest::{Client, RequestBuilder, Response, Url};
use tokio::time::{Instant, timeout_at};

use super::{
    Call, Event, Events, ProviderError,
    body::{Body, after},
    format::{Decoder, WireFormat, WireRequest},
    provider::Endpoint,
};
use crate::telemetry::trace;

mod embed;
#[cfg(test)]
pub(super) mod stand_in;
#[cfg(test)]
mod tests;

/// The most bytes of an answer that isn't streamed.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// The most bytes of an error that are read.
const MAX_ERROR: usize = 64 * 1024;

/// One such server.
#[derive(Debug, Clone)]
pub struct Server {
    client: Client,
    endpoint: Arc<Endpoint>,
}

impl Server {
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
        let first_byte = if call.stream { self.endpoint.first_byte_timeout } else { self.endpoint.answer_timeout };
        let first_by = after(start, first_byte).min(deadline);
        let format = self.endpoint.format;
        let request = format.request(&call, self.endpoint.output_limit_field)?;
        let accept = if call.stream { format.stream_type() } else { "application/json" };
        let response = self.send(request, accept, first_by).await?;
        let status = response.status();
        let streams = call.stream && status.is_success() && !is_json(&response);
        let headers = response.headers().clone();
        let body = Body::new(response, first_by, self.endpoint.idle_timeout, deadline);
        if streams {
            let answer = Answer { body, decoder: format.decoder(), ended: false };
            return Ok(futures_util::stream::unfold(Some(answer), Answer::step).boxed());
        }
        if !status.is_success() {
            let body = body.whole(MAX_ERROR).await.unwrap_or_default();
            return Err(format.failure(status.as_u16(), &headers, &body));
        }
        let mut events = format.whole(&body.whole(MAX_ANSWER).await?)?;
        if call.stream {
            // The words for a whole answer are none for a stream.
            events.iter_mut().for_each(Event::forget_native);
        }
        Ok(futures_util::stream::iter(events.into_iter().map(Ok)).boxed())
    }

    /// Sends a request and returns the answer's head, which must come by `first_by`.
    async fn send(&self, request: WireRequest, accept: &str, first_by: Instant) -> Result<Response, ProviderError> {
        let sent = async { self.request(request, accept).await?.send().await.map_err(|error| unsent(&error)) };
        timeout_at(first_by, sent).await.map_err(|_| ProviderError::Timeout)?
    }

    async fn request(&self, request: WireRequest, accept: &str) -> Result<RequestBuilder, ProviderError> {
        let WireRequest { path, query, mut headers, body } = request;
        let mut url = self.endpoint.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_str(accept).map_err(|_| ProviderError::Credentials)?);
        headers.extend(self.endpoint.headers.clone());
        self.authorize(&url, &mut headers, &body).await?;
        // Behind the signature: whoever is in between may change them.
        headers.extend(trace::outgoing());
        Ok(self.client.post(url).headers(headers).body(body))
    }

    async fn authorize(&self, url: &Url, headers: &mut HeaderMap, body: &[u8]) -> Result<(), ProviderError> {
        let Some(key) = &self.endpoint.api_key else {
            return match &self.endpoint.signer {
                Some(signer) => signer.sign(url, headers, body).await,
                None => Ok(()),
            };
        };
        let (name, value) = match self.endpoint.format {
            WireFormat::ChatCompletions | WireFormat::Responses | WireFormat::Converse => {
                (AUTHORIZATION, format!("Bearer {key}"))
            }
            WireFormat::Messages => (HeaderName::from_static("x-api-key"), key.clone()),
            WireFormat::Gemini => (HeaderName::from_static("x-goog-api-key"), key.clone()),
        };
        let mut value = HeaderValue::try_from(value).map_err(|_| ProviderError::Credentials)?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    }
}

fn unsent(error: &reqwest::Error) -> ProviderError {
    if error.is_timeout() && !error.is_connect() { ProviderError::Timeout } else { ProviderError::Connect }
}

/// A streamed answer on its way.
struct Answer {
    body: Body,
    decoder: Decoder,
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
