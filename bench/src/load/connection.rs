//! One kept-alive connection to the server under load.

use std::io;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::LoadError;

/// Where requests go, and their head.
#[derive(Debug)]
pub(super) struct Target {
    address: String,
    path: Uri,
    headers: HeaderMap,
}

impl Target {
    pub(super) fn new(url: &str, mut headers: HeaderMap) -> Result<Self, LoadError> {
        let unusable = || LoadError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| unusable())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(unusable)?;
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).parse().map_err(|_| unusable())?;
        headers.insert(HOST, HeaderValue::from_str(authority.as_str()).map_err(|_| unusable())?);
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        Ok(Self { address, path, headers })
    }

    /// Whether anything listens.
    pub(super) async fn probe(&self) -> Result<(), LoadError> {
        let connected = TcpStream::connect(&self.address).await;
        connected.map(drop).map_err(|error| LoadError::Connect(self.address.clone(), error))
    }

    pub(super) async fn open(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // Its error is also the error of the request that was under way.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Connection { sender })
    }

    pub(super) fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Whether the server has left the connection open.
    pub(super) async fn is_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        self.sender.send_request(request).await
    }
}
