//! A WebSocket client.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::ClientRequestBuilder, http::Uri, protocol::CloseFrame},
};

use super::{Lmo, Value};

/// The path of the handshake.
pub const PATH: &str = "/api/mcp/ws";
/// How long a test waits for a frame.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open connection.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The subprotocol that was selected.
    pub protocol: Option<String>,
}

impl Socket {
    /// Opens a connection with a key.
    pub async fn with_key(lmo: &Lmo, key: &str) -> Self {
        Self::open(lmo, &[("authorization", &format!("Bearer {key}"))]).await.unwrap()
    }

    /// Opens a connection with these header fields; what refuses it is a status and a body.
    pub async fn open(lmo: &Lmo, headers: &[(&str, &str)]) -> Result<Self, (u16, Value)> {
        let uri: Uri = format!("{}{PATH}", lmo.base.replace("http://", "ws://")).parse().unwrap();
        let request = headers.iter().fold(ClientRequestBuilder::new(uri), |request, (name, value)| match *name {
            "sec-websocket-protocol" => value.split(", ").fold(request, ClientRequestBuilder::with_sub_protocol),
            name => request.with_header(name, *value),
        });
        match connect_async(request).await {
            Ok((stream, response)) => {
                let protocol = response.headers().get("sec-websocket-protocol");
                Ok(Self { stream, protocol: protocol.map(|protocol| protocol.to_str().unwrap().to_owned()) })
            }
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err((response.status().as_u16(), serde_json::from_slice(body).unwrap_or_default()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a message.
    pub async fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string())).await;
    }

    /// Sends whatever it is.
    pub async fn send(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// The next frame; or why the connection was closed, as code and reason.
    pub async fn hear(&mut self) -> Result<Value, Option<(u16, String)>> {
        loop {
            match tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(close))) => {
                    return Err(close.map(|close| (close.code.into(), close.reason.to_string())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Closes the connection, and hears how that is answered.
    pub async fn close(mut self) -> Result<Value, Option<(u16, String)>> {
        let close = CloseFrame { code: 1000.into(), reason: "enough".into() };
        self.stream.close(Some(close)).await.unwrap();
        self.hear().await
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Value {
        self.hear().await.expect("a frame")
    }

    /// The frames up to the end of an answer.
    pub async fn answer(&mut self) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            frames.push(self.frame().await);
            if matches!(frames.last().unwrap()["event"].as_str(), Some("done" | "error")) {
                return frames;
            }
        }
    }

    /// Says, and hears the answer.
    pub async fn ask(&mut self, message: &Value) -> Vec<Value> {
        self.say(message).await;
        self.answer().await
    }
}
