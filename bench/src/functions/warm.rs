//! Warm requests: a function's binary behind the Runtime API, next to the same routes served by `lmo` over HTTP.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::request;
use crate::children::{PATIENCE, Running, lines, silent};
use crate::lambda::{Binaries, Engines, Function, Invoke};

type Bytes = bytes::Bytes;

/// The first requests are not counted: connections open, caches fill.
const WARMING: usize = 20;

/// One kind of request, asked both ways in turn.
#[derive(Debug)]
pub struct Warm {
    /// What was asked, and what it does.
    pub name: &'static str,
    /// Through the function: from the poll that took the event to the end of the response.
    pub function: Vec<Duration>,
    /// Over HTTP, on a kept connection: from the request to the end of the response.
    pub direct: Vec<Duration>,
}

struct Asked {
    name: &'static str,
    function: &'static str,
    method: Method,
    path: &'static str,
    body: Value,
}

pub(super) async fn measure(
    binaries: &Binaries,
    engines: &Engines,
    lmo: &Path,
    times: usize,
) -> Result<Vec<Warm>, Box<dyn Error>> {
    let kinds = [
        Asked {
            name: "`GET /v1/models`: nothing is read",
            function: "query",
            method: Method::GET,
            path: "/v1/models",
            body: Value::Null,
        },
        Asked {
            name: "`GET /api/tenant/keys`: 1 Query",
            function: "tenant",
            method: Method::GET,
            path: "/api/tenant/keys",
            body: Value::Null,
        },
        Asked {
            name: "`POST /api/mcp/query`: the function settles before it answers",
            function: "query",
            method: Method::POST,
            path: "/api/mcp/query",
            body: json!({"query": "Say hello", "max_tokens": 20, "cache": "no-store"}),
        },
    ];
    let platform = Platform::start(lmo, engines)?;
    let mut connection = platform.connect().await?;
    let mut warm = Vec::new();
    for asked in kinds {
        let mut function = engines.launch(binaries.path(asked.function)?, asked.function).start()?;
        let (mut through, mut direct) = (Vec::new(), Vec::new());
        for _ in 0..WARMING + times {
            through.push(invoke(&mut function, &asked, engines).await?);
            direct.push(send(&mut connection, &asked, engines.key()).await?);
        }
        through.drain(..WARMING);
        direct.drain(..WARMING);
        warm.push(Warm { name: asked.name, function: through, direct });
    }
    Ok(warm)
}

async fn invoke(function: &mut Function, asked: &Asked, engines: &Engines) -> io::Result<Duration> {
    let event = request("apigw-query.json", engines).at(asked.method.as_str(), asked.path);
    let event = if asked.body.is_null() { event.without_body() } else { event.body(&asked.body) };
    let answer = function.invoke(Invoke::from(event)).await?;
    let status = answer.http().map(|http| http.status);
    match (status, answer.taken, answer.ended) {
        (Some(200), Some(taken), Some(ended)) => Ok(ended.duration_since(taken)),
        _ => Err(io::Error::other(format!("{}: {answer:?}\n{}", asked.name, function.log()))),
    }
}

async fn send(connection: &mut SendRequest<Full<Bytes>>, asked: &Asked, key: &str) -> Result<Duration, Box<dyn Error>> {
    let body = if asked.body.is_null() { Bytes::new() } else { asked.body.to_string().into() };
    let request = Request::builder()
        .method(asked.method.clone())
        .uri(asked.path)
        .header("host", "127.0.0.1")
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(Full::new(body))?;
    let began = Instant::now();
    let response = connection.send_request(request).await?;
    let status = response.status();
    response.into_body().collect().await?;
    let took = began.elapsed();
    if status.is_success() { Ok(took) } else { Err(format!("{}: {status}", asked.name).into()) }
}

/// `lmo` over the same engines as the functions.
struct Platform {
    _child: Running,
    addr: SocketAddr,
    _directory: TempDir,
}

impl Platform {
    fn start(lmo: &Path, engines: &Engines) -> io::Result<Self> {
        let directory = TempDir::new()?;
        let models = directory.path().join("models.toml");
        std::fs::write(&models, super::ECHO)?;
        let mut command = Command::new(lmo);
        command.env_clear().envs(engines.environment()).args(["--port", "0", "--data-dir"]).arg(directory.path());
        let mut child = Running(command.arg("--models").arg(models).stdout(Stdio::piped()).spawn()?);
        let banner = lines(child.0.stdout.take()).recv_timeout(PATIENCE).map_err(|_| silent("lmo"))?;
        let url = banner.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_default();
        Ok(Self { _child: child, addr: super::address(url)?, _directory: directory })
    }

    async fn connect(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.addr).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // Its error is also the error of the request that was under way.
        tokio::spawn(async move { connection.await.ok() });
        Ok(sender)
    }
}
