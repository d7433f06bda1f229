//! Frames to connections that API Gateway keeps (Amazon API Gateway Management API: `POST` and `GET @connections`).

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lmo_shared::aws::Signer;
use reqwest::{Client, Url};

use crate::reply::Gone;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Waits before the attempts to post a frame, in milliseconds; each up to as much longer as chance has it.
const PAUSES: [u64; 8] = [0, 25, 50, 100, 200, 400, 800, 1600];
/// Silence after which API Gateway is asked whether the client is still there.
pub const SILENCE: Duration = Duration::from_secs(15);

/// Posts frames to an API's connections.
#[derive(Debug, Clone)]
pub struct Posts(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    client: Client,
    signer: Signer,
    endpoint: Url,
    silence: Duration,
}

/// One connection, as the place to which frames are posted.
#[derive(Debug, Clone)]
pub struct Peer {
    posts: Posts,
    url: Url,
}

/// What became of a call.
enum Outcome {
    Done,
    /// The connection is closed.
    Closed,
    /// It may work if it is tried again.
    TryAgain(String),
    /// It won't.
    Failed(String),
}

impl Posts {
    /// Posts to the API at `endpoint`, its stage included; asks after `silence` whether a client is still there.
    ///
    /// # Errors
    /// If no HTTP client can be had.
    pub fn new(endpoint: Url, signer: Signer, silence: Duration) -> reqwest::Result<Self> {
        let client = Client::builder().timeout(PATIENCE).no_proxy().build()?;
        Ok(Self(Arc::new(Parts { client, signer, endpoint, silence })))
    }

    /// A connection by its id.
    #[must_use]
    pub fn peer(&self, connection: &str) -> Peer {
        let mut url = self.0.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["@connections", connection]);
        }
        // The end of an id is `=`, which a path may have, but not in the form that is signed.
        let path = url.path().replace('=', "%3D");
        url.set_path(&path);
        Peer { posts: self.clone(), url }
    }
}

impl Peer {
    /// Posts a frame; trying again may post one twice, if API Gateway's answer got lost.
    pub(crate) async fn post(&self, frame: String) -> Result<(), Gone> {
        let mut last = String::new();
        for pause in PAUSES {
            tokio::time::sleep(Duration::from_millis(pause).mul_f64(1.0 + rand::random::<f64>())).await;
            match self.call(Method::POST, frame.clone()).await {
                Outcome::Done => return Ok(()),
                Outcome::Closed => return Err(Gone),
                Outcome::TryAgain(problem) => last = problem,
                Outcome::Failed(problem) => {
                    last = problem;
                    break;
                }
            }
        }
        tracing::error!(problem = last, "a frame could not be posted");
        Err(Gone)
    }

    /// Resolves when the client is found to be gone. It is asked for only in silence: whoever hears something calls this
    /// anew.
    pub(crate) async fn gone(&self) {
        loop {
            tokio::time::sleep(self.posts.0.silence).await;
            if let Outcome::Closed = self.call(Method::GET, String::new()).await {
                return;
            }
        }
    }

    async fn call(&self, method: Method, body: String) -> Outcome {
        let Parts { client, signer, .. } = &*self.posts.0;
        let mut headers = HeaderMap::new();
        if method == Method::POST {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        }
        if let Err(error) = signer.sign(&method, &self.url, &mut headers, body.as_bytes()).await {
            return Outcome::Failed(error.to_string());
        }
        match client.request(method, self.url.clone()).headers(headers).body(body).send().await {
            Ok(response) => outcome(response.status()),
            Err(error) => Outcome::TryAgain(error.without_url().to_string()),
        }
    }
}

fn outcome(status: StatusCode) -> Outcome {
    match status {
        _ if status.is_success() => Outcome::Done,
        StatusCode::GONE => Outcome::Closed,
        StatusCode::TOO_MANY_REQUESTS => Outcome::TryAgain(status.to_string()),
        _ if status.is_server_error() => Outcome::TryAgain(status.to_string()),
        _ => Outcome::Failed(status.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use lmo_shared::{aws::CachedCredentials, clock::Clock};

    use super::*;

    #[test]
    fn an_id_is_encoded_as_its_signature_has_it() {
        let credentials = SharedCredentialsProvider::new(Credentials::new("-", "-", None, None, "-"));
        let credentials = CachedCredentials::new(credentials, Clock::System);
        let region = "eu-central-1".to_owned();
        let signer = Signer { service: "execute-api", credentials, region, clock: Clock::System };
        for endpoint in ["https://example.com/live", "https://example.com/live/"] {
            let posts = Posts::new(endpoint.parse().unwrap(), signer.clone(), SILENCE).unwrap();
            assert_eq!(
                posts.peer("UbQwXd7aFiACEzQ=").url.as_str(),
                "https://example.com/live/@connections/UbQwXd7aFiACEzQ%3D"
            );
        }
    }
}
