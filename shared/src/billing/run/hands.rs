//! Who works on the parts of a run beside each other: invocations of the function itself, or this process.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use reqwest::{Client, Url, redirect};
use serde_json::Value;

use crate::{
    aws::Signer,
    config::OwnFunction,
    error::{Error, Result},
};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many calls are made at once.
const AT_ONCE: usize = 8;
/// Waits before the attempts, in milliseconds; each up to as much longer as chance has it.
const PAUSES: [u64; 5] = [0, 100, 400, 1_600, 6_400];

/// Who works on parts.
#[derive(Debug, Clone)]
pub enum Hands {
    /// Invocations of the function itself.
    Invocations(Arc<Invoker>),
    /// This process.
    Process,
}

/// Invokes the function asynchronously: `Invoke` of Lambda's API, signed as other requests to AWS are. An SDK's client would
/// be one more, for one call.
///
/// It hands on no trace header: Lambda counts chains of invocations by it, and cuts them at the sixteenth.
#[derive(Debug, Clone)]
pub struct Invoker {
    /// Signs for the service `lambda`.
    pub signer: Signer,
    /// Which function, in which version.
    pub function: OwnFunction,
    /// Where to, if not to the region's endpoint.
    pub endpoint: Option<Url>,
}

/// Why a call failed.
enum Problem {
    ForNow(String),
    ForGood(String),
}

impl Invoker {
    /// Has Lambda hand the function these events, each to an invocation of its own, once it has put them down. One that fails
    /// stops no other.
    ///
    /// # Errors
    /// `Unavailable` if Lambda can't be reached or takes no more; `Internal` if it refuses.
    pub async fn invoke(&self, events: Vec<Value>) -> Result<()> {
        let client = Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none()).build();
        let (client, url) = (client.map_err(Error::internal)?, self.url()?);
        let one = |event: Value| self.one(&client, &url, event.to_string());
        let done: Vec<_> = stream::iter(events).map(one).buffer_unordered(AT_ONCE).collect().await;
        done.into_iter().collect()
    }

    fn url(&self) -> Result<Url> {
        let region = || format!("https://lambda.{}.amazonaws.com/", self.signer.region).parse();
        let endpoint: Url = self.endpoint.clone().map_or_else(region, Ok).map_err(Error::internal)?;
        let path = format!("/2015-03-31/functions/{}/invocations", self.function.name);
        let mut url = endpoint.join(&path).map_err(Error::internal)?;
        url.query_pairs_mut().append_pair("Qualifier", &self.function.version);
        Ok(url)
    }

    async fn one(&self, client: &Client, url: &Url, event: String) -> Result<()> {
        let mut last = String::new();
        for pause in PAUSES {
            tokio::time::sleep(Duration::from_millis(pause).mul_f64(1.0 + rand::random::<f64>())).await;
            match self.call(client, url, event.clone()).await {
                Ok(()) => return Ok(()),
                Err(Problem::ForNow(problem)) => last = problem,
                Err(Problem::ForGood(problem)) => return Err(Error::internal(problem)),
            }
        }
        Err(Error::Unavailable(last.into()))
    }

    async fn call(&self, client: &Client, url: &Url, event: String) -> Result<(), Problem> {
        let mut headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (HeaderName::from_static("x-amz-invocation-type"), HeaderValue::from_static("Event")),
        ]);
        let signed = self.signer.sign(&Method::POST, url, &mut headers, event.as_bytes()).await;
        signed.map_err(|error| Problem::ForNow(error.to_string()))?;
        let sent = client.post(url.clone()).headers(headers).body(event).send().await;
        let status = sent.map_err(|error| Problem::ForNow(format!("AWS Lambda: {}", error.without_url())))?.status();
        let problem = format!("AWS Lambda answered {status}");
        match status {
            // It is put down, and handed on.
            StatusCode::ACCEPTED => Ok(()),
            StatusCode::TOO_MANY_REQUESTS => Err(Problem::ForNow(problem)),
            status if status.is_server_error() => Err(Problem::ForNow(problem)),
            _ => Err(Problem::ForGood(problem)),
        }
    }
}

#[cfg(test)]
mod tests;
