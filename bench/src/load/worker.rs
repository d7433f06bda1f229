//! One connection's requests, one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::connection::{Connection, Target};
use super::sequence::Sequence;
use super::sse::{Reader, Said};
use super::tally::{Tally, record};
use super::{Expected, Mode, Until};

/// Between attempts to connect, so that a server that is gone does not make the generator spin.
const RECONNECT: Duration = Duration::from_millis(10);

/// A body that ended early, or a stream without `[DONE]`.
const INCOMPLETE: &str = "incomplete";

/// What all connections of a run share.
#[derive(Debug)]
pub(super) struct Plan {
    target: Target,
    /// The body's text around the request's number.
    body: Vec<String>,
    mode: Mode,
    status: StatusCode,
    until: Until,
    started: Instant,
    issued: AtomicU64,
    /// Differs between the runs of a process and between processes.
    run: String,
}

static RUNS: AtomicU64 = AtomicU64::new(0);

impl Plan {
    pub(super) fn new(
        target: Target,
        body: &str,
        until: Until,
        mode: Mode,
        status: StatusCode,
        started: Instant,
    ) -> Self {
        let body = body.split("@n@").map(str::to_owned).collect();
        let run = format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        Self { target, body, mode, status, until, started, issued: AtomicU64::new(0), run }
    }

    /// The body of the next request, while there is one.
    fn next(&self) -> Option<Bytes> {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let goes_on = match self.until {
            Until::Elapsed(time) => self.started.elapsed() < time,
            Until::Requests(count) => number < count,
        };
        goes_on.then(|| self.body.join(&format!("{}-{number}", self.run)).into())
    }
}

pub(super) async fn work(plan: Arc<Plan>) -> Tally {
    let mut tally = Tally::default();
    let mut idle = None;
    while let Some(body) = plan.next() {
        let Some(mut connection) = ready(&plan.target, idle.take()).await else {
            tally.error("connect");
            tokio::time::sleep(RECONNECT).await;
            continue;
        };
        let sent = Instant::now();
        match connection.send(plan.target.request(body)).await {
            Ok(response) if response.status() == plan.status => {
                if read(&plan.mode, sent, response.into_body(), &mut tally).await {
                    idle = Some(connection);
                }
            }
            Ok(response) => {
                tally.error(response.status().as_str());
                if response.into_body().collect().await.is_ok() {
                    idle = Some(connection);
                }
            }
            Err(_) => tally.error("connection"),
        }
    }
    tally
}

async fn ready(target: &Target, idle: Option<Connection>) -> Option<Connection> {
    if let Some(mut connection) = idle
        && connection.is_ready().await
    {
        return Some(connection);
    }
    target.open().await.ok()
}

/// Whether the body was read to its end, so that the connection can be used again.
async fn read(mode: &Mode, sent: Instant, body: Incoming, tally: &mut Tally) -> bool {
    let is_complete = match mode {
        Mode::Buffered => read_buffered(body).await,
        Mode::Stream(expected) => read_stream(expected, sent, body, tally).await,
    };
    match is_complete {
        Ok(()) => {
            tally.answered += 1;
            record(&mut tally.latency, sent.elapsed());
            true
        }
        Err(why) => {
            tally.error(why);
            false
        }
    }
}

async fn read_buffered(mut body: Incoming) -> Result<(), &'static str> {
    while let Some(frame) = body.frame().await {
        frame.map_err(|_| INCOMPLETE)?;
    }
    Ok(())
}

async fn read_stream(
    expected: &Expected,
    sent: Instant,
    mut body: Incoming,
    tally: &mut Tally,
) -> Result<(), &'static str> {
    let mut reader = Reader::default();
    let mut sequence = Sequence::of(&expected.deltas);
    let mut last = None;
    let mut ended = Err(INCOMPLETE);
    while let Some(Ok(frame)) = body.frame().await {
        let now = Instant::now();
        reader.push(frame.data_ref().map_or(&[], |data| &data[..]), |said| match said {
            Said::Content(delta) => {
                sequence.offer(&delta);
                tally.chunks += 1;
                match last.replace(now) {
                    None => record(&mut tally.first_chunk, now - sent),
                    Some(before) => {
                        record(&mut tally.gap, now - before);
                        let is_late = expected.longest_gap.is_some_and(|longest| now - before > longest);
                        tally.held_back += u64::from(is_late);
                    }
                }
            }
            Said::Error => ended = Err("error event"),
            Said::Malformed => ended = Err("malformed event"),
            Said::Done if ended == Err(INCOMPLETE) => ended = Ok(()),
            Said::Other | Said::Done => {}
        });
    }
    tally.add_flaws(sequence.end());
    ended
}
