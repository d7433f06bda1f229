//! Answers as server-sent events (WHATWG HTML, section 9.2). Whatever has arrived goes out at once: several events that
//! are there at the same time share a write, and nothing waits for a next one.

use std::{convert::Infallible, fmt::Write, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;

use crate::{
    answer::{Answer, Event},
    clock::Timestamp,
    error::Result,
};

/// Silence after which a comment shows that the connection lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Turns an answer's events into text.
pub trait Encoder: Send + 'static {
    /// Appends what an event, or the error that ends the stream, looks like.
    fn encode(&mut self, event: Result<Event>, out: &mut Frames);
}

/// Text of server-sent events.
#[derive(Debug, Default)]
pub struct Frames {
    text: String,
}

impl Frames {
    /// An event with a name and an id.
    pub fn event(&mut self, name: &str, id: u64, data: &impl Serialize) {
        // Writing to a String can't fail.
        let _ = writeln!(self.text, "event: {name}\nid: {id}");
        self.data(data);
    }

    /// An event with a name.
    pub fn named(&mut self, name: &str, data: &impl Serialize) {
        let _ = writeln!(self.text, "event: {name}");
        self.data(data);
    }

    /// An event that is data alone. JSON text has no line breaks.
    pub fn data(&mut self, data: &impl Serialize) {
        self.text.push_str("data: ");
        self.text.push_str(&serde_json::to_string(data).unwrap_or_default());
        self.text.push_str("\n\n");
    }

    /// An event whose data is not JSON.
    pub fn raw(&mut self, data: &str) {
        let _ = write!(self.text, "data: {data}\n\n");
    }

    /// The text, which begins anew.
    #[must_use]
    pub fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.text))
    }
}

/// The response that streams an answer.
pub fn respond(answer: Answer, encoder: impl Encoder, now: Timestamp) -> Response {
    const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (NO_BUFFERING, HeaderValue::from_static("no")),
    ];
    let fields = super::answer_fields(&answer, now);
    let frames = stream::unfold(Some((answer, encoder)), |state| async move {
        let (mut answer, mut encoder) = state?;
        let mut out = Frames::default();
        let more = match tokio::time::timeout(KEEP_ALIVE, answer.next()).await {
            Err(_) => {
                out.text.push_str(": keep-alive\n\n");
                true
            }
            Ok(Some(event)) => {
                encoder.encode(event, &mut out);
                while let Some(event) = answer.next_ready() {
                    encoder.encode(event, &mut out);
                }
                true
            }
            Ok(None) => false,
        };
        more.then(|| (Ok::<_, Infallible>(out.take()), Some((answer, encoder))))
    });
    let mut response = (headers, Body::from_stream(frames)).into_response();
    response.headers_mut().extend(fields);
    response
}
