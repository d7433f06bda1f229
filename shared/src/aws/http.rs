//! The SDK's requests, sent by reqwest like all others: one stack for HTTP and TLS in a program, and no HTTP/2, which none
//! of the services speaks. The SDK's own client has both, and is a twentieth of a function's package.

use std::{error::Error as _, time::Duration};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::HttpError,
};
use aws_smithy_types::body::SdkBody;
use reqwest::{Body, Client, Request, Response, redirect};
use tokio::time::timeout;

/// How long a connection may take to be made: the SDK's own default.
const CONNECT: Duration = Duration::from_millis(3_100);

/// A client of HTTP for the clients of the SDK. One is for all of them: they share its connections, and the system's
/// certificates are read once.
#[derive(Debug, Clone)]
pub struct Http(Client);

/// The system's certificates can't be read: why.
#[derive(Debug, thiserror::Error)]
#[error("no certificates to tell servers by: {0}")]
pub struct NoCertificates(String);

impl Http {
    /// Reads the system's certificates.
    ///
    /// # Errors
    /// If there are none.
    pub fn new() -> Result<Self, NoCertificates> {
        // A redirected request would have a signature for another host.
        let client = Client::builder().connect_timeout(CONNECT).redirect(redirect::Policy::none()).build();
        // The error itself only says that it is one of building.
        let why = |error: reqwest::Error| error.source().map_or_else(|| error.to_string(), ToString::to_string);
        client.map(Self).map_err(|error| NoCertificates(why(error)))
    }
}

impl HttpClient for Http {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector { client: self.0.clone(), patience: settings.read_timeout() })
    }
}

#[derive(Debug)]
struct Connector {
    client: Client,
    /// How long an answer may take to begin; for ever if absent.
    patience: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, patience) = (self.client.clone(), self.patience.unwrap_or(Duration::MAX));
        HttpConnectorFuture::new(async move {
            let request = to_reqwest(request)?;
            let sent = timeout(patience, client.execute(request)).await;
            let answer = sent.map_err(|late| ConnectorError::timeout(late.into()))?.map_err(failed)?;
            to_sdk(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn to_reqwest(request: HttpRequest) -> Result<Request, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    Request::try_from(request.map(Body::wrap)).map_err(|error| ConnectorError::user(error.into()))
}

fn to_sdk(answer: Response) -> Result<HttpResponse, HttpError> {
    HttpResponse::try_from(http::Response::<Body>::from(answer).map(SdkBody::from_body_1_x))
}

/// What the SDK is to make of it: all but a malformed request may pass, and is tried again.
fn failed(error: reqwest::Error) -> ConnectorError {
    match () {
        () if error.is_timeout() => ConnectorError::timeout(error.into()),
        () if error.is_builder() => ConnectorError::user(error.into()),
        () => ConnectorError::io(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_dynamodb::{
        Client,
        config::{Credentials, SharedCredentialsProvider},
        types::AttributeValue,
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Asks for an item where these are the answers, one a connection. Returns what came of it, and how many were asked for.
    async fn asked(answers: &[&str]) -> (bool, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let credentials = Credentials::new("me", "-", None, None, "-");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(format!("http://{}", listener.local_addr().unwrap()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(Http::new().unwrap())
            .build();
        let client = Client::new(&sdk);
        let key = AttributeValue::S("A".to_owned());
        let call = client.get_item().table_name("lmo").key("PK", key).send();
        let mut count = 0;
        let serve = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let answer = answers.get(count).copied().unwrap_or_default();
                count += 1;
                let mut seen = Vec::new();
                while !seen.ends_with(b"}") {
                    assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let found = tokio::select! {
            found = call => found.is_ok(),
            () = serve => unreachable!("it serves without end"),
        };
        (found, count)
    }

    const FOUND: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

    #[tokio::test]
    async fn what_gets_no_answer_or_half_of_one_is_asked_again() {
        assert_eq!(asked(&[FOUND]).await, (true, 1));
        assert_eq!(asked(&["", FOUND]).await, (true, 2));
        assert_eq!(asked(&["HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{", FOUND]).await, (true, 2));
        assert_eq!(asked(&["", "", ""]).await, (false, 3));
    }

    #[tokio::test]
    async fn a_signed_request_follows_no_redirect() {
        let away =
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        assert_eq!(asked(&[away, FOUND]).await, (false, 1));
    }
}
