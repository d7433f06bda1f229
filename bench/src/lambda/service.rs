//! The routes of the Runtime API, on bare HTTP/1.1 connections.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;

use super::host::{Fault, InitError, Shared};
use super::invocation::{Chunk, Head, Piece};

/// The most that a buffered response may have ("Lambda quotas": 6 MB, and room for what wraps it).
const RESPONSE_LIMIT: usize = 6 * 1024 * 1024 + 100;
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ARN: &str = "arn:aws:lambda:eu-central-1:123456789012:function:lmo";

type Reply = Response<Full<Bytes>>;

/// Accepts connections until the listener fails.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| handle(Arc::clone(&shared), request));
            // It ends with an error whenever the function ends or a cut is asked for.
            let _ =
                http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// An error ends the connection without an answer.
async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Reply> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let Some(route) = path.strip_prefix("/2018-06-01/runtime/") else {
        return extension(&shared, &head.method, path, &head.headers).await;
    };
    match (head.method, route.split('/').collect::<Vec<_>>().as_slice()) {
        (Method::GET, ["invocation", "next"]) => next(&shared).await,
        (Method::POST, ["invocation", id, "response"]) => response(&shared, id, &head.headers, body).await,
        (Method::POST, ["invocation", id, "error"]) => error(&shared, id, &head.headers, body).await,
        (Method::POST, ["init", "error"]) => {
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            let error =
                InitError { kind: text(&head.headers, ERROR_TYPE), body: String::from_utf8_lossy(&body).into_owned() };
            shared.seen.send_modify(|seen| seen.init_error = Some(error));
            Ok(accepted())
        }
        _ => Ok(refusal(StatusCode::NOT_FOUND, "NotFound", "404 page not found")),
    }
}

async fn next(shared: &Shared) -> io::Result<Reply> {
    let polled = Instant::now();
    shared.seen.send_if_modified(|seen| seen.first_poll.replace(seen.first_poll.unwrap_or(polled)).is_none());
    {
        let mut state = shared.lock();
        if let Some(Fault::NextFails(status)) = state.fault {
            state.fault = None;
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Ok(refusal(status, "InternalServerError", "the container is in no state to be invoked"));
        }
    }
    let waiting = shared.waiting.lock().await.recv().await;
    let waiting = waiting.ok_or_else(|| io::Error::other("the host is gone"))?;
    let id = {
        let mut state = shared.lock();
        state.requests += 1;
        let id = format!("8476a536-e9f4-11e8-9739-{:012x}", state.requests);
        state.running.insert(id.clone(), waiting.reply.clone());
        id
    };
    #[expect(clippy::disallowed_methods, reason = "a deadline of the Runtime API is a time of day")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let deadline = (now + waiting.invoke.timeout).as_millis();
    let _ = waiting.reply.send(Piece::Taken(Instant::now()));
    Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .header("lambda-runtime-aws-request-id", id)
        .header("lambda-runtime-deadline-ms", deadline.to_string())
        .header("lambda-runtime-invoked-function-arn", ARN)
        .header("lambda-runtime-trace-id", waiting.invoke.trace_id)
        .body(Full::new(waiting.invoke.event))
        .map_err(io::Error::other)
}

/// Passes a response on as it comes; the function is told that it was accepted once it is complete.
async fn response(shared: &Shared, id: &str, headers: &HeaderMap, mut body: Incoming) -> io::Result<Reply> {
    let Some(reply) = shared.lock().running.remove(id) else { return Ok(unknown()) };
    let streamed = text(headers, "lambda-runtime-function-response-mode") == "streaming";
    let cut = match shared.lock().fault.take_if(|fault| matches!(fault, Fault::ResponseCut(_))) {
        Some(Fault::ResponseCut(after)) => Some(after),
        Some(Fault::NextFails(_)) | None => None,
    };
    // Whoever invoked may have lost interest.
    let _ = reply.send(Piece::Head(Head { streamed, content_type: text(headers, CONTENT_TYPE.as_str()) }));
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(io::Error::other("the function left")) };
        match frame.into_data() {
            Ok(data) => {
                length += data.len();
                if !streamed && length > RESPONSE_LIMIT {
                    let why = "Exceeded maximum allowed payload size (6291556 bytes).";
                    let _ = reply.send(Piece::error("Function.ResponseSizeTooLarge", why));
                    return Ok(refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", why));
                }
                let _ = reply.send(Piece::Chunk(Chunk { bytes: data, at: Instant::now() }));
                if cut.is_some_and(|after| length >= after) {
                    return Err(io::Error::other("the connection is cut"));
                }
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    let body = text(&trailers, "lambda-runtime-function-error-body");
                    let _ = reply.send(Piece::error(&text(&trailers, ERROR_TYPE), &body));
                }
            }
        }
    }
    let _ = reply.send(Piece::End(Instant::now()));
    Ok(accepted())
}

async fn error(shared: &Shared, id: &str, headers: &HeaderMap, body: Incoming) -> io::Result<Reply> {
    let Some(reply) = shared.lock().running.remove(id) else { return Ok(unknown()) };
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let _ = reply.send(Piece::error(&text(headers, ERROR_TYPE), &String::from_utf8_lossy(&body)));
    let _ = reply.send(Piece::End(Instant::now()));
    Ok(accepted())
}

/// The Extensions API, for extensions that want no events: they register, and their poll is never answered.
async fn extension(shared: &Shared, method: &Method, path: &str, headers: &HeaderMap) -> io::Result<Reply> {
    match (method, path) {
        (&Method::POST, "/2020-01-01/extension/register") => {
            shared.seen.send_modify(|seen| seen.extensions.push(text(headers, "lambda-extension-name")));
            let body = json!({"functionName": "lmo", "functionVersion": "$LATEST", "handler": "bootstrap"});
            let mut reply = whole(StatusCode::OK, body.to_string());
            let id = http::HeaderValue::from_static("a1b2c3d4-5678-90ab-cdef-1234567890ab");
            reply.headers_mut().insert("lambda-extension-identifier", id);
            Ok(reply)
        }
        (&Method::GET, "/2020-01-01/extension/event/next") => std::future::pending().await,
        _ => Ok(refusal(StatusCode::NOT_FOUND, "NotFound", "404 page not found")),
    }
}

fn accepted() -> Reply {
    whole(StatusCode::ACCEPTED, "{\"status\":\"OK\"}\n".to_owned())
}

fn unknown() -> Reply {
    refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
}

fn refusal(status: StatusCode, kind: &str, message: &str) -> Reply {
    whole(status, json!({"errorMessage": message, "errorType": kind}).to_string())
}

fn whole(status: StatusCode, body: String) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    reply
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
