//! `PutObject` of Amazon S3's REST API, signed as other requests to AWS are. An SDK's client would be one more, for one call.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Client, Url, redirect};

use super::Signer;
use crate::error::{Error, Result};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// Waits before the attempts, in milliseconds; each up to as much longer as chance has it.
const PAUSES: [u64; 4] = [0, 200, 1_000, 5_000];

/// A bucket that objects are put into.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    signer: Signer,
    base: Url,
}

/// Why a call failed.
enum Problem {
    ForNow(String),
    ForGood(String),
}

impl Bucket {
    /// The bucket called `name`, which has no dots, at the region's endpoint or at `endpoint`. The signer's service is `s3`.
    ///
    /// # Errors
    /// `Internal` if no HTTP client can be had, or that makes no URL.
    pub fn new(signer: Signer, name: &str, endpoint: Option<Url>) -> Result<Self> {
        let base = match endpoint {
            Some(endpoint) => endpoint.join(&format!("/{name}/")),
            None => format!("https://{name}.s3.{}.amazonaws.com/", signer.region).parse(),
        };
        let client = Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none()).build();
        Ok(Self { client: client.map_err(Error::internal)?, signer, base: base.map_err(Error::internal)? })
    }

    /// Puts an object, in the place of what was there.
    ///
    /// # Errors
    /// `Unavailable` if S3 can't be reached or takes nothing at the moment; `Internal` if it refuses.
    pub async fn put(&self, key: &str, kind: &'static str, bytes: Vec<u8>) -> Result<()> {
        // S3 signs the path as it is sent, with `=` as `%3D`.
        let url = self.base.join(&key.replace('=', "%3D")).map_err(Error::internal)?;
        let bytes = bytes::Bytes::from(bytes);
        let mut last = String::new();
        for pause in PAUSES {
            tokio::time::sleep(Duration::from_millis(pause).mul_f64(1.0 + rand::random::<f64>())).await;
            match self.call(&url, kind, bytes.clone()).await {
                Ok(()) => return Ok(()),
                Err(Problem::ForNow(problem)) => last = problem,
                Err(Problem::ForGood(problem)) => return Err(Error::internal(problem)),
            }
        }
        Err(Error::Unavailable(last.into()))
    }

    async fn call(&self, url: &Url, kind: &'static str, bytes: bytes::Bytes) -> std::result::Result<(), Problem> {
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let signed = self.signer.sign(&Method::PUT, url, &mut headers, &bytes).await;
        signed.map_err(|error| Problem::ForNow(error.to_string()))?;
        let sent = self.client.put(url.clone()).headers(headers).body(bytes).send().await;
        let status = sent.map_err(|error| Problem::ForNow(format!("Amazon S3: {}", error.without_url())))?.status();
        if status.is_success() {
            return Ok(());
        }
        let passes = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let problem = format!("Amazon S3 answered {status}");
        Err(if passes { Problem::ForNow(problem) } else { Problem::ForGood(problem) })
    }
}
