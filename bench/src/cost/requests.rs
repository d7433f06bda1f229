//! The kinds of requests, and what one of each takes, warm.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::tally::{Tally, decimal, float};
use super::{Outcome, Scene, items};
use crate::lambda::{Answer, HttpEvent};

/// Before anything is counted: connections, the tenant, the catalogue, the month's meter.
const WARM_UP: u32 = 20;
/// Turns of a session until the next one begins.
const TURNS: u32 = 10;
/// Words of a question; a word is a token and about six bytes.
const QUESTION_WORDS: usize = 200;

/// An average request, as `docs/measured.toml` has it.
#[derive(Debug, Clone, Serialize)]
pub struct Request {
    /// The function that answers it.
    pub(super) function: &'static str,
    #[serde(serialize_with = "as_text")]
    pub(super) cpu_ms: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) own_ms: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) model_calls: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) table_calls: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) write_units: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) read_units: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) kept_bytes: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) records: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) record_bytes: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) log_lines: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) log_bytes: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) answer_bytes: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) pieces: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) provider_bytes: f64,
}

/// Prices and what they are multiplied by are exact: files have decimals in quotes.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
pub(super) fn as_text<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&decimal(*number))
}

/// A kind of request.
struct Kind {
    name: &'static str,
    function: &'static str,
    path: &'static str,
    /// The body of the request of this number.
    body: fn(u32) -> Value,
}

const KINDS: [Kind; 5] = [
    Kind { name: "query", function: "query", path: "/api/mcp/query", body: query },
    Kind { name: "stream", function: "stream", path: "/api/mcp/stream", body: stream },
    Kind { name: "cache_hit", function: "query", path: "/api/mcp/query", body: cache_hit },
    Kind { name: "session_turn", function: "query", path: "/api/mcp/query", body: session_turn },
    Kind { name: "embeddings", function: "query", path: "/v1/embeddings", body: embeddings },
];

fn question(number: u32) -> String {
    format!("{number} {}", "words ".repeat(QUESTION_WORDS))
}

fn query(number: u32) -> Value {
    json!({"query": format!("{} [[tokens=100]]", question(number)), "max_tokens": 200})
}

fn stream(number: u32) -> Value {
    json!({"query": format!("{} [[tokens=500]] [[chunk_delay=1ms]]", question(number)), "max_tokens": 600})
}

/// The first of them asks the model, all others are answered from the cache.
fn cache_hit(_: u32) -> Value {
    let question = format!("{} [[tokens=100]]", question(0));
    json!({"query": question, "max_tokens": 200, "temperature": 0, "cache": "default"})
}

fn session_turn(number: u32) -> Value {
    let session = format!("session-{}", number / TURNS);
    json!({"query": format!("{} [[tokens=100]]", question(number)), "max_tokens": 200, "context": {"sessionId": session}})
}

fn embeddings(number: u32) -> Value {
    json!({"model": "embed", "input": question(number)})
}

/// Measures all kinds.
pub(super) async fn measure(scene: &Scene) -> Outcome<BTreeMap<&'static str, Request>> {
    let mut measured = BTreeMap::new();
    for kind in &KINDS {
        measured.insert(kind.name, one_kind(scene, kind).await?);
    }
    Ok(measured)
}

async fn one_kind(scene: &Scene, kind: &Kind) -> Outcome<Request> {
    let engines = &scene.engines;
    let mut function = engines.launch(scene.binaries.path(kind.function)?, kind.name).start()?;
    let file = if kind.function == "stream" { "function-url-stream.json" } else { "apigw-query.json" };
    let event = HttpEvent::file(file).at("POST", kind.path).key(engines.key());
    for number in 0..WARM_UP {
        whole(&function.invoke(event.clone().body(&(kind.body)(number))).await?)?;
    }
    let entries = items::ledger(engines)?;
    let records = items::records(engines)?;
    let asked = scene.standin.stats().requests;
    let before = Tally::of(engines, &function, kind.name)?;
    let (mut own, mut answer_bytes, mut pieces) = (Duration::ZERO, 0.0, 0.0);
    for number in WARM_UP..WARM_UP + scene.count {
        let answer = function.invoke(event.clone().body(&(kind.body)(number))).await?;
        answer_bytes += whole(&answer)?;
        pieces += float(answer.chunks.len());
        own += answer.ended.zip(answer.taken).map(|(ended, taken)| ended - taken).unwrap_or_default();
    }
    let each = Tally::of(engines, &function, kind.name)?.each(&before, scene.count);
    let count = f64::from(scene.count);
    let entries = items::ledger(engines)?.since(entries);
    let records = items::records(engines)?.since(records);
    let stats = scene.standin.stats();
    let asked = u32::try_from(stats.requests - asked)?;
    let sent: f64 = stats.recent.iter().rev().take(usize::try_from(asked)?).map(length).sum();
    Ok(Request {
        function: kind.function,
        cpu_ms: each.cpu.as_secs_f64() * 1e3,
        own_ms: own.as_secs_f64() * 1e3 / count,
        model_calls: f64::from(asked) / count,
        table_calls: each.table_calls,
        write_units: each.write_units,
        read_units: each.read_units,
        kept_bytes: entries.bytes / count,
        records: records.number / count,
        record_bytes: records.bytes / count,
        log_lines: each.log_lines,
        log_bytes: each.log_bytes,
        answer_bytes: answer_bytes / count,
        pieces: pieces / count,
        provider_bytes: sent / count,
    })
}

/// The bytes of an answer's body; one that failed or was cut is an error.
fn whole(answer: &Answer) -> Outcome<f64> {
    let http = answer.http().ok_or("the function gave no HTTP answer")?;
    if http.status != 200 || answer.error.is_some() {
        return Err(format!("{}: {}", http.status, http.text()).into());
    }
    Ok(float(http.body.len()))
}

/// What came to the provider: head and body.
fn length(seen: &crate::standin::Seen) -> f64 {
    let body = seen.headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    let head: usize = seen.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    float(body.unwrap_or(0) + head)
}
