//! Kinesis in this process: the `ferrokinesis` router, with what it keeps in memory written down in front of it.
//!
//! Changes of streams are remembered in `streams.log` and made again at every start; records are kept by
//! `record_log` until they are aggregated. The engine drops aggregated records once many have piled up,
//! where AWS would keep them for their retention period.

mod body;
mod frame;
mod record_log;

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body};
use bytes::Bytes;
use ferrokinesis::{
    create_app,
    store::{Store, StoreOptions},
    types::StreamStatus,
};
use http::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use self::{
    body::{positions, storage_key, with_shard_count},
    record_log::{Position, RecordLog},
};
use super::{
    EngineError,
    wire::{JSON_1_1, Reply},
};

/// Aggregated records that stay readable, so that a stream can be replayed from its oldest record.
const RETAINED: usize = 5_000;
const SHARD_LIMIT: u32 = 500;
/// A change takes no time here; it is waited for so that the next request finds it made.
const CHANGED_WITHIN: Duration = Duration::from_secs(5);
/// The operations that are remembered, by their kind in `streams.log`.
const CHANGES: [&str; 5] = ["CreateStream", "DeleteStream", "SplitShard", "MergeShards", "UpdateShardCount"];
/// The operations that put records, by their kind in `records.log` less one.
const PUTS: [&str; 2] = ["PutRecord", "PutRecords"];

/// A handle on the stream engine; pass it to the pump, which says through it what has been aggregated.
#[derive(Clone)]
pub struct Kinesis {
    app: Router,
    store: Store,
    log: RecordLog,
    streams: Arc<Mutex<File>>,
    /// The engine numbers a record before it stores it; two at a time could let a reader overtake the slower one.
    turn: Arc<tokio::sync::Mutex<()>>,
    retained: Arc<Mutex<VecDeque<Position>>>,
}

impl Kinesis {
    /// Makes the streams of an earlier run again and puts the records that it did not aggregate.
    ///
    /// # Errors
    /// If the logs can't be read, or a stream can't be made again.
    pub async fn open(dir: &Path) -> Result<Self, EngineError> {
        let (app, store) = create_app(StoreOptions {
            create_stream_ms: 0,
            delete_stream_ms: 0,
            update_stream_ms: 0,
            shard_limit: SHARD_LIMIT,
            ..StoreOptions::default()
        });
        let path = dir.join("streams.log");
        let (streams, changes) = frame::open(&path).map_err(EngineError::file(path))?;
        let (log, records) = RecordLog::open(dir).map_err(EngineError::file(dir.join("records.log")))?;
        let kinesis = Self {
            app,
            store,
            log,
            streams: Arc::new(Mutex::new(streams)),
            turn: Arc::default(),
            retained: Arc::default(),
        };
        for change in changes {
            if let Some(operation) = CHANGES.get(usize::from(change.kind)) {
                let reply = kinesis.change(operation, change.body.into()).await;
                if !reply.is_success() {
                    return Err(EngineError::Stream {
                        what: (*operation).to_owned(),
                        reason: String::from_utf8_lossy(&reply.body).into_owned(),
                    });
                }
            }
        }
        for record in records {
            let pending = kinesis.log.pending(record.id);
            if let Some(operation) = usize::from(record.kind).checked_sub(1).and_then(|at| PUTS.get(at)) {
                let body = Bytes::from(record.body);
                let reply = kinesis.forward(operation, JSON_1_1, body.clone()).await;
                if !reply.is_success() {
                    tracing::warn!(operation, "dropped a record that the stream engine refuses");
                }
                pending.settle(positions(&body, &reply));
            }
        }
        Ok(kinesis)
    }

    /// Answers one Kinesis request.
    pub(super) async fn call(&self, operation: &str, content_type: &str, body: Bytes) -> Reply {
        if let Some(kind) = PUTS.iter().position(|put| *put == operation) {
            self.put(kind, content_type, body).await
        } else if let Some(kind) = CHANGES.iter().position(|change| *change == operation) {
            let body = with_shard_count(operation, body);
            let reply = self.change(operation, body.clone()).await;
            match self.remember(kind, &body, &reply) {
                Ok(()) => reply,
                Err(error) => failure(&error),
            }
        } else {
            self.forward(operation, content_type, body).await
        }
    }

    /// Everything in `shard` up to `sequence` is aggregated and need not survive this process.
    pub async fn acknowledge(&self, stream: &str, shard: &str, sequence: &str) {
        let released = match self.log.acknowledge(stream, shard, sequence) {
            Ok(released) => released,
            Err(error) => {
                tracing::warn!(%error, "cannot shorten the log of records");
                return;
            }
        };
        let mut surplus: HashMap<Arc<str>, Vec<String>> = HashMap::new();
        {
            let mut retained = self.retained.lock().unwrap_or_else(PoisonError::into_inner);
            retained.extend(released);
            let excess = retained.len().saturating_sub(RETAINED);
            for position in retained.drain(..excess) {
                if let Some(key) = storage_key(&position) {
                    surplus.entry(position.stream).or_default().push(key);
                }
            }
        }
        for (stream, keys) in surplus {
            self.store.delete_record_keys(&stream, &keys).await;
        }
    }

    /// Refuses further records.
    pub(super) fn close(&self) {
        self.log.close();
    }

    async fn put(&self, kind: usize, content_type: &str, body: Bytes) -> Reply {
        let mark = u8::try_from(kind + 1).unwrap_or(u8::MAX);
        let pending = match self.log.append(mark, &body) {
            Ok(pending) => pending,
            Err(error) => return failure(&error),
        };
        let reply = {
            let _turn = self.turn.lock().await;
            self.forward(PUTS[kind], content_type, body.clone()).await
        };
        pending.settle(positions(&body, &reply));
        reply
    }

    /// Changes a stream and waits until the change is made.
    async fn change(&self, operation: &str, body: Bytes) -> Reply {
        let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
        let reply = self.forward(operation, JSON_1_1, body).await;
        if let Ok(stream) = self.store.resolve_stream_name(&request) {
            let settled = async {
                while let Ok(state) = self.store.get_stream(&stream).await {
                    if state.stream_status == StreamStatus::Active {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            if tokio::time::timeout(CHANGED_WITHIN, settled).await.is_err() {
                tracing::warn!(stream, operation, "the change is not made yet");
            }
        }
        reply
    }

    fn remember(&self, kind: usize, body: &[u8], reply: &Reply) -> io::Result<()> {
        let kind = u8::try_from(kind).map_err(io::Error::other)?;
        match frame::encode(kind, 0, body) {
            Some(bytes) if reply.is_success() => {
                let mut file = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(&bytes)?;
                file.sync_data()
            }
            _ => Ok(()),
        }
    }

    async fn forward(&self, operation: &str, content_type: &str, body: Bytes) -> Reply {
        // The engine checks that a signature is there, not what it says.
        let request = Request::post("/")
            .header("content-type", content_type)
            .header("x-amz-target", format!("Kinesis_20131202.{operation}"))
            .header("x-amz-date", "20260101T000000Z")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=local, SignedHeaders=host, Signature=local")
            .body(Body::from(body));
        let request = match request {
            Ok(request) => request,
            Err(error) => return failure(&io::Error::other(error)),
        };
        let Ok(response) = self.app.clone().oneshot(request).await;
        let status = response.status().as_u16();
        match response.into_body().collect().await {
            Ok(body) => Reply { status, content_type: JSON_1_1, body: body.to_bytes() },
            Err(error) => failure(&io::Error::other(error)),
        }
    }
}

impl std::fmt::Debug for Kinesis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kinesis").finish_non_exhaustive()
    }
}

fn failure(error: &io::Error) -> Reply {
    Reply::error(JSON_1_1, 500, "InternalFailureException", &error.to_string())
}
