//! API Gateway's side of the posts: what it was sent, and what it is told to answer.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::net::TcpListener;

/// A request to it.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

#[derive(Debug, Default)]
struct Inner {
    calls: Vec<Call>,
    /// Statuses of the next posts; then all succeed.
    statuses: VecDeque<u16>,
    /// Whether all connections are closed.
    closed: bool,
    /// How long a post takes.
    delay: Duration,
    at_once: usize,
    most_at_once: usize,
}

/// The Management API on a port of its own.
#[derive(Clone)]
pub struct Management {
    pub endpoint: String,
    inner: Arc<Mutex<Inner>>,
}

impl Management {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/live", listener.local_addr().unwrap());
        let inner = Arc::default();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { endpoint, inner }
    }

    /// Answers the next posts with these statuses.
    pub fn answer_next(&self, statuses: &[u16]) {
        self.inner().statuses.extend(statuses);
    }

    /// Every post takes so long.
    pub fn take(&self, delay: Duration) {
        self.inner().delay = delay;
    }

    /// All clients leave.
    pub fn close(&self) {
        self.inner().closed = true;
    }

    pub fn calls(&self) -> Vec<Call> {
        self.inner().calls.clone()
    }

    /// The most posts that were under way at the same time.
    pub fn most_at_once(&self) -> usize {
        self.inner().most_at_once
    }

    /// What was posted and taken, in its order.
    pub fn frames(&self) -> Vec<Value> {
        let posts = self.calls().into_iter().filter(|call| call.method == Method::POST);
        posts.map(|call| serde_json::from_str(&call.body).unwrap()).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

async fn answer(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let call = Call { method: parts.method, path: parts.uri.path().to_owned(), headers: parts.headers, body };
    let (status, delay) = {
        let mut inner = inner.lock().unwrap();
        inner.at_once += 1;
        inner.most_at_once = inner.most_at_once.max(inner.at_once);
        let told = if call.method == Method::POST { inner.statuses.pop_front() } else { None };
        let status = if inner.closed { 410 } else { told.unwrap_or(200) };
        if status == 200 {
            inner.calls.push(call);
        }
        (status, inner.delay)
    };
    tokio::time::sleep(delay).await;
    inner.lock().unwrap().at_once -= 1;
    StatusCode::from_u16(status).unwrap()
}
