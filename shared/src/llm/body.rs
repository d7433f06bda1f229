//! The body of a provider's answer, read under three clocks: the first piece, each further one, and the whole call.
//! Dropping it closes the connection, so that a provider stops generating for a caller who has gone.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::{Instant, timeout, timeout_at};

use super::ProviderError;

/// How long the end of a body may come after its last useful byte, for the connection to be used again.
const LAST_WORDS: Duration = Duration::from_millis(10);

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Body {
    response: Response,
    /// When the next piece must be there.
    next_by: Instant,
    idle: Duration,
    deadline: Instant,
}

impl Body {
    /// A body whose first piece must come by `first_by`, each further one within `idle`, and all by `deadline`.
    pub(super) fn new(response: Response, first_by: Instant, idle: Duration, deadline: Instant) -> Self {
        Self { response, next_by: first_by.min(deadline), idle, deadline }
    }

    /// The next piece, as large as it came; `None` at the end.
    ///
    /// # Errors
    /// `Timeout` if it doesn't come in time, `Cut` if the connection breaks.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ProviderError> {
        let piece = timeout_at(self.next_by, self.response.chunk()).await.map_err(|_| ProviderError::Timeout)?;
        self.next_by = after(Instant::now(), self.idle).min(self.deadline);
        piece.map_err(|error| if error.is_timeout() { ProviderError::Timeout } else { ProviderError::Cut })
    }

    /// All that is left, if it is at most `limit` bytes.
    ///
    /// # Errors
    /// Those of `next`, and `Malformed` beyond the limit.
    pub(super) async fn whole(mut self, limit: usize) -> Result<Vec<u8>, ProviderError> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await? {
            if piece.len() > limit.saturating_sub(whole.len()) {
                return Err(ProviderError::Malformed(format!("a body of more than {limit} bytes")));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    /// Reads the end of a body whose content is complete: a connection that was read to its end can be used again.
    pub(super) async fn end(&mut self) {
        let _ = timeout(LAST_WORDS, self.response.chunk()).await;
    }
}

/// `by` after `start`, or as far ahead as a clock can be set.
pub(super) fn after(start: Instant, by: Duration) -> Instant {
    const FAR: Duration = Duration::from_hours(365 * 24);
    start + by.min(FAR)
}
