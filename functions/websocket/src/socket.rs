//! `GET /api/mcp/ws` where this process keeps the connection: on a laptop.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection},
    },
    http::HeaderMap,
    response::Response,
};
use lmo_shared::{
    answer::Tasks,
    audit::Source,
    auth::{Authenticator, Proved},
    error::Error,
    http::{Errors, Handled},
};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    handshake,
    reply::{Outlet, Replies},
};

/// What is read of a message, in bytes. One that is larger than a message may be, but not than this, gets an error; one
/// that is larger than this ends its connection.
const MOST_BYTES: usize = 1024 * 1024;
/// How many messages of a connection are answered at the same time; then no more are read.
const AT_ONCE: usize = 64;
/// How many frames may wait for a slow client before its answers have to wait too.
const AHEAD: usize = 16;
/// How long a client has to close its side.
const FAREWELL: Duration = Duration::from_secs(1);

/// Opens a WebSocket.
///
/// Browsers, which can't set header fields, offer the subprotocols `lmo` and `lmo.key.<API key>` instead; `lmo` is
/// selected. A message is the body of `POST /api/mcp/stream` as JSON text of at most 128 KB, with an optional `id` of at
/// most 128 characters and an optional `"type": "ask"`. Several may be answered at the same time. What comes back are
/// frames `{id, seq, event, data}`: `id` as in the message, `seq` counts from 0, `event` and `data` are those of
/// `/api/mcp/stream`. Texts that arrive at the same time share a frame; one of more than 32 KB comes in several. The
/// `data` of `error` is a problem document with `retryable` and, if it may pass, `retry_after` in seconds.
/// `{"type": "ping"}` is answered with `{"event": "pong"}`. The key is looked at again with each message; those that come after the
/// access token has expired that opened the connection are refused. Closing the connection ends its answers at their providers; what was received is charged.
#[utoipa::path(
    get,
    path = "/api/mcp/ws",
    operation_id = "socket",
    tag = "query",
    responses((status = 101, description = "The connection is a WebSocket"), Errors)
)]
pub(super) async fn connect(
    State(authenticator): State<Authenticator>,
    State(replies): State<Replies>,
    State(tasks): State<Tasks>,
    source: Source,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Handled<Response> {
    let by = handshake::admitted(&authenticator, &headers, source).await?;
    let upgrade = upgrade.map_err(|error| Error::invalid("Upgrade", error.to_string()))?;
    let upgrade = upgrade.protocols([handshake::PROTOCOL]).max_message_size(MOST_BYTES).max_frame_size(MOST_BYTES);
    let (here, connection) = (tasks.token(), Connection { replies, by: Arc::new(by) });
    Ok(upgrade.on_upgrade(move |mut socket| async move {
        let farewell = connection.serve(&mut socket, &tasks).await;
        let closing = async {
            if let Some((code, reason)) = farewell {
                socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
            }
            // Whoever closes first is answered by reading on.
            while let Some(Ok(_)) = socket.recv().await {}
            Ok::<_, axum::Error>(())
        };
        let _ = tokio::time::timeout(FAREWELL, closing).await;
        drop(here);
    }))
}

/// An open connection.
#[derive(Clone)]
struct Connection {
    replies: Replies,
    by: Arc<Proved>,
}

impl Connection {
    /// Serves until the client leaves, or until it is to be told why it has to go.
    async fn serve(&self, socket: &mut WebSocket, tasks: &Tasks) -> Option<(u16, &'static str)> {
        let (outlet, mut frames) = mpsc::channel(AHEAD);
        // Dropping it ends what is being answered.
        let mut running = JoinSet::new();
        let mut closing = false;
        loop {
            tokio::select! {
                Some(frame) = frames.recv() => socket.send(Message::Text(String::into(frame))).await.ok()?,
                message = socket.recv(), if running.len() < AT_ONCE => match message? {
                    Ok(Message::Text(text)) => drop(running.spawn(self.clone().reply(text.into(), outlet.clone(), closing))),
                    Ok(Message::Binary(text)) => drop(running.spawn(self.clone().reply(text, outlet.clone(), closing))),
                    Ok(Message::Ping(_) | Message::Pong(_)) => {}
                    Ok(Message::Close(_)) => return None,
                    Err(_) => return Some((close_code::SIZE, "a message has more than 1 MiB, or is none of RFC 6455")),
                },
                Some(_) = running.join_next() => {}
                () = tasks.closing(), if !closing => closing = true,
            }
            if closing && running.is_empty() && frames.is_empty() {
                return Some((close_code::AWAY, "shutting down"));
            }
        }
    }

    async fn reply(self, text: Bytes, outlet: mpsc::Sender<String>, closing: bool) {
        let outlet = Outlet::Socket(outlet);
        if closing {
            self.replies.decline(&text, &Error::Unavailable("shutting down".into()), &outlet).await;
        } else {
            let opener = async { Ok(Some(Proved::clone(&self.by))) };
            self.replies.reply(&text, opener, &outlet).await;
        }
    }
}
