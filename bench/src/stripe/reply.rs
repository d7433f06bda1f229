//! A body that may end before its end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body, Frame};

/// Breaks the connection off.
#[derive(Debug, thiserror::Error)]
#[error("the stand-in was asked to cut the connection")]
pub(super) struct CutOff;

/// Pieces, and perhaps a cut.
#[derive(Debug)]
pub(super) struct Pieces(VecDeque<Result<Bytes, CutOff>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        Poll::Ready(self.0.pop_front().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

/// A response; a cut one says how long it would have been, and ends at the half.
pub(super) fn response(status: u16, headers: &[(&'static str, String)], body: String, cut: bool) -> Response<Pieces> {
    let length = body.len();
    let body = Bytes::from(body);
    let pieces =
        if cut { VecDeque::from([Ok(body.slice(..length / 2)), Err(CutOff)]) } else { VecDeque::from([Ok(body)]) };
    let mut response = Response::new(Pieces(pieces));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields = response.headers_mut();
    fields.insert("content-length", length.into());
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            fields.insert(*name, value);
        }
    }
    response
}
