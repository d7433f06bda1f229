//! A receiver of webhooks that does what the address says: `/name/500/cut/200` answers 500, breaks the connection, and
//! from then on answers 200. It keeps what it got, so that a test can look.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The receiver. It ends when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    accepting: JoinHandle<()>,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Got {
    /// Its path.
    pub path: String,
    /// Its header fields, by their names in small letters.
    pub headers: HashMap<String, String>,
    /// Its body.
    pub body: String,
    /// When it came.
    pub at: Instant,
}

impl Got {
    /// A header field; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// There is none.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let got = Arc::default();
        let kept = Arc::clone(&got);
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&kept)));
            }
        });
        Ok(Self { address, got, accepting })
    }

    /// The address of a path that says what to do: a name, then reactions in turn, of which the last is repeated. A
    /// number is a status; `cut` breaks the connection; `hang` never answers; `slow` answers 200 after 17 s; `later` is 503
    /// with `Retry-After: 1000`; `away` redirects to `/elsewhere/200`; `long` is 200 with much of a body.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// How many requests came.
    #[must_use]
    pub fn count(&self) -> usize {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What came so far to paths that begin with a name.
    #[must_use]
    pub fn got(&self, name: &str) -> Vec<Got> {
        let start = format!("/{name}/");
        let got = self.got.lock().unwrap_or_else(PoisonError::into_inner);
        got.iter().filter(|got| got.path.starts_with(&start)).cloned().collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut connection: TcpStream, got: Arc<Mutex<Vec<Got>>>) {
    let Some(request) = read(&mut connection).await else { return };
    let path = request.path.clone();
    let before = {
        let mut got = got.lock().unwrap_or_else(PoisonError::into_inner);
        got.push(request);
        got.iter().filter(|got| got.path == path).count() - 1
    };
    let reactions: Vec<_> = path.split('/').skip(2).collect();
    let reaction = reactions.get(before).or(reactions.last()).copied().unwrap_or("200");
    let answer = match reaction {
        "cut" => return,
        "hang" => return std::future::pending().await,
        "slow" => {
            tokio::time::sleep(Duration::from_secs(17)).await;
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()
        }
        "later" => "HTTP/1.1 503 Busy\r\nretry-after: 1000\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "away" => "HTTP/1.1 302 Found\r\nlocation: /elsewhere/200\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "long" => format!("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n{}", "x".repeat(1_000_000)),
        status => format!("HTTP/1.1 {status} Status\r\ncontent-length: 6\r\n\r\nanswer"),
    };
    let _ = connection.write_all(answer.as_bytes()).await;
}

async fn read(connection: &mut TcpStream) -> Option<Got> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let field = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers: HashMap<_, _> = lines.filter_map(field).collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    while bytes.len() < head_end + length {
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&bytes[head_end..]).into_owned();
    Some(Got { path, headers, body, at: Instant::now() })
}
