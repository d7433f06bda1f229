//! The stand-in's routes, on bare HTTP/1.1 connections.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;

use super::directives::{Failure, Fault};
use super::openai;
use super::reply::{EPOCH, answer, refuse, whole};
use super::route::Route;
use super::script::Script;
use super::stats::{Received, Shared};
use super::vendor::Vendor;
use super::watch::{Outcome, Watch};

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
            // It ends with an error whenever a client goes away or a cut is asked for; both are counted.
            let _ =
                http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Script>, hyper::Error> {
    if request.method() == Method::POST
        && let Some(route) = Route::of(request.uri())
    {
        return exchange(shared, &route, request).await;
    }
    if shared.options.require_key && !request.headers().contains_key(AUTHORIZATION) {
        return Ok(refuse(Vendor::OpenAi, openai::refusal(401, None), None));
    }
    if request.method() == Method::GET && request.uri().path() == "/v1/models" {
        return Ok(whole(Vendor::OpenAi, StatusCode::OK, models(&shared.options.models), None, Outcome::Finished));
    }
    let refusal = openai::no_such_route(request.method().as_str(), request.uri().path());
    Ok(refuse(Vendor::OpenAi, refusal, None))
}

async fn exchange(
    shared: Arc<Shared>,
    route: &Route,
    request: Request<Incoming>,
) -> Result<Response<Script>, hyper::Error> {
    let vendor = route.vendor();
    let watch = Watch::new(&shared);
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let has_key = head.headers.contains_key(vendor.key_header());
    let parsed = route.read(&head.headers, &body);
    shared.remember(Received { uri: head.uri, headers: head.headers, body });
    if shared.options.require_key && !has_key {
        return Ok(refuse(vendor, vendor.no_key(watch.number), Some(watch)));
    }
    let (asked, directives) = match parsed {
        Ok(parsed) => parsed,
        Err(flaw) => return Ok(refuse(vendor, vendor.bad_request(&flaw, watch.number), Some(watch))),
    };
    if directives.fault == Some(Fault::Stall) {
        std::future::pending::<()>().await;
    }
    if !directives.delay.is_zero() {
        tokio::time::sleep(directives.delay).await;
    }
    let is_due = |failure: &&Failure| shared.takes_failure(failure, &asked.prompt());
    if let Some(failure) = directives.failures.iter().find(is_due) {
        return Ok(refuse(vendor, vendor.refusal(failure, watch.number), Some(watch)));
    }
    Ok(answer(&shared, &asked, &directives, watch))
}

fn models(names: &[String]) -> Bytes {
    let model = |name: &String| json!({ "id": name, "object": "model", "created": EPOCH, "owned_by": "standin" });
    let list = names.iter().map(model).collect::<Vec<_>>();
    json!({ "object": "list", "data": list }).to_string().into()
}
