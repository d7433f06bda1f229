//! The stand-in's routes, on bare HTTP/1.1 connections.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;

use super::answer::Answer;
use super::completion;
use super::directives::{Directives, Failure, Fault};
use super::envelope::Envelope;
use super::fault::Refusal;
use super::reply::{headers, refuse, whole};
use super::request::ChatRequest;
use super::script::Script;
use super::stats::Shared;
use super::steps;
use super::watch::{Outcome, Watch};
use super::wire;

/// 2026-01-01, so that the first answer of every run is the same.
const EPOCH: u64 = 1_767_225_600;

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
            let service = service_fn(|request| route(Arc::clone(&shared), request));
            // It ends with an error whenever a client goes away or a cut is asked for; both are counted.
            let _ =
                http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn route(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Script>, hyper::Error> {
    if request.method() == Method::POST && request.uri().path() == "/v1/chat/completions" {
        return chat(shared, request).await;
    }
    if shared.options.require_key && !request.headers().contains_key(AUTHORIZATION) {
        return Ok(refuse(Refusal::new(401, None, None), None));
    }
    if request.method() == Method::GET && request.uri().path() == "/v1/models" {
        return Ok(whole(StatusCode::OK, models(&shared.options.models), None, Outcome::Finished));
    }
    Ok(refuse(Refusal::no_such_route(request.method().as_str(), request.uri().path()), None))
}

async fn chat(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Script>, hyper::Error> {
    let watch = Watch::new(&shared);
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let has_key = head.headers.contains_key(AUTHORIZATION);
    let parsed = read(&body);
    shared.remember(head.headers, body);
    if shared.options.require_key && !has_key {
        return Ok(refuse(Refusal::new(401, None, None), Some(watch)));
    }
    let (request, directives) = match parsed {
        Ok(parsed) => parsed,
        Err(refusal) => return Ok(refuse(refusal, Some(watch))),
    };
    if directives.fault == Some(Fault::Stall) {
        std::future::pending::<()>().await;
    }
    if !directives.delay.is_zero() {
        tokio::time::sleep(directives.delay).await;
    }
    let is_due = |failure: &&Failure| shared.takes_failure(failure, &request.prompt());
    if let Some(failure) = directives.failures.iter().find(is_due) {
        let refusal = Refusal::new(failure.status, failure.retry_after.clone(), failure.code.as_deref());
        return Ok(refuse(refusal, Some(watch)));
    }
    Ok(answer(&shared, &request, &directives, watch))
}

fn read(body: &Bytes) -> Result<(ChatRequest, Directives), Refusal> {
    let request: ChatRequest = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(&format!("We could not parse the JSON body of your request: {error}")))?;
    if request.messages.is_empty() {
        return Err(Refusal::bad_request("Invalid 'messages': empty array. Expected an array with minimum length 1."));
    }
    let directives = request.directives().map_err(|message| Refusal::bad_request(&message))?;
    Ok((request, directives))
}

fn answer(shared: &Shared, request: &ChatRequest, directives: &Directives, mut watch: Watch) -> Response<Script> {
    let answer = Answer::to(request, directives);
    let envelope = Envelope {
        number: watch.number,
        created: EPOCH + shared.started.elapsed().as_secs(),
        model: &request.model,
        usage: !directives.no_usage && (!request.streams() || request.wants_usage()),
        unknown: directives.unknown,
    };
    let fails_half_way = request.streams() && matches!(directives.fault, Some(Fault::ErrorInStream(_)));
    if envelope.usage {
        watch.reports(answer.usage);
    }
    let mut headers = headers(watch.number);
    let steps = if request.streams() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        steps::streamed(&wire::stream(&answer, &envelope), directives)
    } else {
        let body = completion::body(&answer, &envelope);
        let is_half = matches!(directives.fault, Some(Fault::MalformedAfter(_)));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(if is_half { body.len() / 2 } else { body.len() }));
        steps::buffered(&body, directives)
    };
    let outcome = if fails_half_way { Outcome::Broken } else { Outcome::Finished };
    let mut response = Response::new(Script::new(steps, Some(watch), outcome));
    *response.headers_mut() = headers;
    response
}

fn models(names: &[String]) -> Bytes {
    let model = |name: &String| json!({ "id": name, "object": "model", "created": EPOCH, "owned_by": "standin" });
    let list = names.iter().map(model).collect::<Vec<_>>();
    json!({ "object": "list", "data": list }).to_string().into()
}
