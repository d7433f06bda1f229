//! Requests, from the wire to the wire.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use std::{io, mem};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::call::Call;
use super::faults::{Fault, Rule};
use super::hooks::{self, pretty};
use super::keys::Answered;
use super::problem::Problem;
use super::reply::{CutOff, Pieces, response};
use super::state::{Asked, Shared};
use super::{control, form};

/// Accepts connections until the listener fails.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        // One that is gone before it was accepted stops nobody.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        stream.set_nodelay(true)?;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| handle(Arc::clone(&shared), request));
            // It ends with an error whenever a client goes away or a cut is asked for.
            let _ =
                http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Pieces>, CutOff> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| CutOff)?.to_bytes();
    let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
    if path.starts_with("/_") {
        return Ok(control::answer(&shared, &head.method, &path, &query, &body).await);
    }
    let request = shared.with(|state| state.world.id("req").replacen("req_", "", 1));
    let request = format!("req_{}", &request[..14]);
    let version = header(&head.headers, "stripe-version").unwrap_or_else(|| shared.options.version.clone());
    let general = general(&request, version);
    let text = if head.method == Method::POST && !body.is_empty() { &body[..] } else { query.as_bytes() };
    let key = header(&head.headers, "idempotency-key").filter(|_| head.method == Method::POST);
    let read = credentials(&head.headers, &shared).and_then(|publishable| {
        let params = form::decode(text)?;
        Ok(Call { method: head.method.clone(), path: path.clone(), params, key: key.clone(), publishable, request })
    });
    let call = match read {
        Ok(call) => call,
        Err(problem) => return Ok(response(problem.status, &general, pretty(&problem.body()), false)),
    };
    let fault = shared.with(|state| state.faults.take(&head.method, &path));
    // What is under way is done, even if nobody waits for it any more.
    let done = tokio::spawn(exchange(shared, call, fault.clone())).await.map_err(|_| CutOff)?;
    let fault = fault.map(|rule| rule.fault);
    let Some((answered, headers)) = done.filter(|_| fault != Some(Fault::Lost)) else { return Err(CutOff) };
    Ok(response(answered.status, &[general, headers].concat(), answered.body, fault == Some(Fault::CutBody)))
}

type Headers = Vec<(&'static str, String)>;

/// Does what is asked, with what goes wrong; `None` if nothing is.
async fn exchange(shared: Arc<Shared>, call: Call, fault: Option<Rule>) -> Option<(Answered, Headers)> {
    let kind = fault.as_ref().map(|rule| rule.fault);
    let pause = Duration::from_millis(fault.as_ref().map_or(0, |rule| rule.ms));
    let mut headers: Headers = call.key.iter().map(|key| ("idempotency-key", key.clone())).collect();
    let refused = match kind {
        Some(Fault::Unreached) => {
            remember(&shared, &call, 0, false);
            return None;
        }
        Some(Fault::RateLimited) => Err(Problem::rate_limit()),
        Some(Fault::Locked) => Err(Problem::lock_timeout()),
        _ => shared.with(|state| state.keys.take(&call, state.world.now())),
    };
    let kept = match refused {
        Ok(kept) => kept,
        Err(problem) => {
            let wait = fault.and_then(|rule| rule.retry_after).map(|wait| ("retry-after", wait.to_string()));
            headers.extend(wait);
            if problem.status != 400 {
                headers.push(("stripe-should-retry", "true".to_owned()));
            }
            remember(&shared, &call, problem.status, false);
            return Some((said(&call, problem.status, &problem.body()), headers));
        }
    };
    if let Some(answered) = kept {
        headers.push(("idempotent-replayed", "true".to_owned()));
        headers.push(("original-request", answered.request.clone()));
        if answered.status >= 500 {
            headers.push(("stripe-should-retry", "false".to_owned()));
        }
        remember(&shared, &call, answered.status, true);
        return Some((answered, headers));
    }
    if kind == Some(Fault::Slow) {
        tokio::time::sleep(pause).await;
    }
    let (answered, events) = perform(&shared, &call, kind);
    if call.key.is_some() {
        headers.push(("original-request", call.request.clone()));
    }
    if kind == Some(Fault::WebhookFirst) {
        hooks::tell(&shared, events, None).await;
    } else {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { hooks::tell(&shared, events, fault.as_ref()).await });
    }
    if kind == Some(Fault::Late) {
        tokio::time::sleep(pause).await;
    }
    Some((answered, headers))
}

/// The state changes, the answer is kept, and what is to be told is known, all at once.
fn perform(shared: &Shared, call: &Call, fault: Option<Fault>) -> (Answered, Vec<String>) {
    let (answered, events) = shared.with(|state| {
        let done = match fault {
            Some(Fault::Failed) => Err(Problem::failure(500)),
            Some(Fault::FailedAfter) => call.perform(&mut state.world).and(Err(Problem::failure(500))),
            _ => call.perform(&mut state.world),
        };
        let (answered, is_kept) = match &done {
            Ok(object) => (said(call, 200, object), true),
            Err(problem) => (said(call, problem.status, &problem.body()), problem.began),
        };
        state.keys.end(call, is_kept.then_some(&answered));
        (answered, mem::take(&mut state.world.untold))
    });
    remember(shared, call, answered.status, false);
    (answered, events)
}

fn said(call: &Call, status: u16, body: &serde_json::Value) -> Answered {
    Answered { status, body: pretty(body), request: call.request.clone() }
}

fn remember(shared: &Shared, call: &Call, status: u16, replayed: bool) {
    let asked = Asked {
        request: call.request.clone(),
        method: call.method.to_string(),
        path: call.path.clone(),
        key: call.key.clone(),
        status,
        replayed,
    };
    shared.with(|state| state.asked.push(asked));
}

/// The fields of every answer.
fn general(request: &str, version: String) -> Headers {
    vec![
        ("server", "nginx".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("access-control-allow-methods", "GET, HEAD, PUT, PATCH, POST, DELETE".to_owned()),
        ("access-control-allow-origin", "*".to_owned()),
        ("cache-control", "no-cache, no-store".to_owned()),
        ("request-id", request.to_owned()),
        ("stripe-version", version),
        ("vary", "Origin".to_owned()),
    ]
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Whether the key is a publishable one.
fn credentials(headers: &HeaderMap, shared: &Shared) -> Result<bool, Problem> {
    let given = header(headers, "authorization").ok_or_else(Problem::no_key)?;
    let (scheme, rest) = given.split_once(' ').ok_or_else(Problem::no_key)?;
    let key = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => rest.trim().to_owned(),
        "basic" => {
            let text = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            text.as_deref().unwrap_or_default().split(':').next().unwrap_or_default().to_owned()
        }
        _ => return Err(Problem::no_key()),
    };
    if key.starts_with("pk_test_") {
        return Ok(true);
    }
    let is_good = match &shared.options.secret_key {
        Some(secret) => key == *secret,
        None => key.starts_with("sk_test_") || key.starts_with("rk_test_"),
    };
    if is_good { Ok(false) } else { Err(Problem::bad_key(&key)) }
}
