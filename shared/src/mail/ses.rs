//! Mail by Amazon SES: `SendEmail` of its API v2, signed as other requests to AWS are. The SDK's client would be a fourth
//! one, for one call.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Client, Url, redirect};
use serde_json::json;
use tokio::sync::OnceCell;

use super::{EmailAddress, Mail};
use crate::{
    aws::Signer,
    error::{Error, Result},
};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Waits before the attempts, in milliseconds; each up to as much longer as chance has it.
const PAUSES: [u64; 4] = [0, 100, 400, 1200];

/// Amazon SES in one region.
#[derive(Debug, Clone)]
pub struct Ses {
    /// Made at the first mail: it loads the machine's certificates, which most starts need not wait for.
    client: Arc<OnceCell<Client>>,
    signer: Signer,
    from: EmailAddress,
    url: Url,
}

/// Why a call failed, in words that hold no address: SES quotes those that it refuses.
enum Failed {
    /// It may work if it is tried again.
    ForNow(String),
    /// It won't.
    ForGood(String),
}

impl Ses {
    /// Sends mails from `from`, an identity that SES has verified, signed by `signer` for the service `ses`, to its
    /// region's endpoint, or to `endpoint` if one is given.
    ///
    /// # Errors
    /// `Internal` if the region is none.
    pub fn new(signer: Signer, from: EmailAddress, endpoint: Option<Url>) -> Result<Self> {
        let regions = || format!("https://email.{}.amazonaws.com/", signer.region).parse();
        let endpoint: Url = endpoint.map_or_else(regions, Ok).map_err(Error::internal)?;
        let url = endpoint.join("/v2/email/outbound-emails").map_err(Error::internal)?;
        Ok(Self { client: Arc::default(), signer, from, url })
    }

    /// Sends a mail.
    ///
    /// # Errors
    /// As [`super::Mailer::send`].
    pub async fn send(&self, mail: &Mail) -> Result<()> {
        let text = |text: &str| json!({"Data": text, "Charset": "UTF-8"});
        let content = json!({"Simple": {"Subject": text(mail.subject()), "Body": {"Text": text(mail.text())}}});
        let to = json!({"ToAddresses": [mail.to().as_str()]});
        let body = json!({"FromEmailAddress": self.from.as_str(), "Destination": to, "Content": content}).to_string();
        let mut last = String::new();
        for pause in PAUSES {
            tokio::time::sleep(Duration::from_millis(pause).mul_f64(1.0 + rand::random::<f64>())).await;
            match self.call(body.clone()).await {
                Ok(()) => return Ok(()),
                Err(Failed::ForNow(problem)) => last = problem,
                Err(Failed::ForGood(problem)) => return Err(Error::internal(problem)),
            }
        }
        Err(Error::Unavailable(last.into()))
    }

    async fn call(&self, body: String) -> Result<(), Failed> {
        let json = HeaderValue::from_static("application/json");
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        let signed = self.signer.sign(&Method::POST, &self.url, &mut headers, body.as_bytes()).await;
        signed.map_err(|error| Failed::ForNow(error.to_string()))?;
        let build = async || Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none()).build();
        let client = self.client.get_or_try_init(build).await;
        let client = client.map_err(|error| Failed::ForGood(format!("no HTTP client: {error}")))?;
        let sent = client.post(self.url.clone()).headers(headers).body(body).send().await;
        let response = sent.map_err(|error| Failed::ForNow(format!("Amazon SES: {}", error.without_url())))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let problem = format!("Amazon SES answered {status} ({})", kind(response.headers()));
        let passes = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        Err(if passes { Failed::ForNow(problem) } else { Failed::ForGood(problem) })
    }
}

/// The name of an error: `MessageRejected`, `SendingPausedException`, ...
fn kind(headers: &HeaderMap) -> &str {
    let kind = headers.get("x-amzn-errortype").and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split([':', ';']).next()).unwrap_or_default();
    if !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) { kind } else { "unnamed error" }
}

#[cfg(test)]
mod tests;
