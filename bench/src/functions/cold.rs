//! Cold starts: from the start of the process to the first response, with TLS to the engines.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{request, sweep};
use crate::lambda::{Answer, Binaries, Engines, Function, Invoke, event};
use crate::process::Memory;
use crate::tls::TlsFront;

/// The cold starts of one function.
#[derive(Debug)]
pub struct Cold {
    /// The function's name.
    pub function: &'static str,
    /// How many bytes its package has, if it is packaged.
    pub package: Option<u64>,
    /// All of them.
    pub starts: Vec<Start>,
}

/// One cold start.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Until it first asked for an event, which ends its initialisation.
    pub ready: Duration,
    /// Until the Runtime API had the response to the event that had been waiting: its first byte where it is streamed.
    pub answered: Duration,
    /// Memory behind it.
    pub memory: Memory,
}

/// Starts each function `times` times, in turns.
pub(super) async fn measure(
    binaries: &Binaries,
    engines: &Engines,
    tls: &TlsFront,
    times: usize,
) -> io::Result<Vec<Cold>> {
    let functions: [(&str, Invoke); 5] = [
        ("query", request("apigw-query.json", engines).into()),
        ("stream", request("function-url-stream.json", engines).into()),
        ("websocket", (&connect(engines)).into()),
        ("tenant", request("apigw-tenant-usage.json", engines).into()),
        ("aggregate", sweep()),
    ];
    let package = |name| binaries.package(name).and_then(|zip| fs::metadata(zip).ok()).map(|zip| zip.len());
    let mut cold: Vec<_> =
        functions.iter().map(|(name, _)| Cold { function: name, package: package(name), starts: Vec::new() }).collect();
    for _ in 0..times {
        for ((function, invoke), cold) in functions.iter().zip(&mut cold) {
            let launch = engines.launch(binaries.path(function)?, function);
            let launch = launch.env("AWS_ENDPOINT_URL", tls.url()).env("SSL_CERT_FILE", tls.bundle());
            // Nothing is posted there before an answer.
            let launch = launch.env("LMO_WEBSOCKET_ENDPOINT", "https://127.0.0.1:9/live");
            cold.starts.push(start(launch.start()?, function, invoke.clone()).await?);
        }
    }
    Ok(cold)
}

async fn start(mut function: Function, name: &str, invoke: Invoke) -> io::Result<Start> {
    let answer = function.invoke(invoke).await?;
    let failed = || io::Error::other(format!("{name} answered {:?}\n{}", answer, function.log()));
    let answered = first_byte(&answer).filter(|_| succeeded(&answer)).ok_or_else(failed)?;
    let ready = function.host().first_poll().await?.duration_since(function.started());
    Ok(Start { ready, answered: answered.duration_since(function.started()), memory: function.memory()? })
}

/// A WebSocket that the demo tenant opens.
fn connect(engines: &Engines) -> Value {
    let mut connect = event("apigw-websocket-connect.json");
    connect["headers"] = json!({"Authorization": format!("Bearer {}", engines.key())});
    connect["multiValueHeaders"] = json!({});
    connect
}

fn succeeded(answer: &Answer) -> bool {
    answer.error.is_none() && answer.http().is_none_or(|http| http.status == 200)
}

/// When there was something for the caller: the prelude, which has a piece of its own, is not for it.
fn first_byte(answer: &Answer) -> Option<Instant> {
    let chunks = answer.chunks.iter().skip(usize::from(answer.streamed));
    chunks.map(|chunk| chunk.at).next()
}
