//! A function that answers HTTP. Polling for events is left to `lambda_runtime`; answers are posted here. Its own
//! connection leaves Nagle's algorithm on, where a small piece of a stream waits until Lambda has acknowledged the one
//! before it, for up to 40 ms, and it takes an answer that nobody takes for the end of the process.

use std::{
    convert::Infallible,
    future::{self, Ready},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE, request::Builder};
use http_body::Frame;
use http_body_util::{BodyStream, StreamBody};
use hyper_util::client::legacy::connect::HttpConnector;
use lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use lambda_runtime_api_client::{PooledClient, body::Body, build_request};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tower::{ServiceExt, layer::layer_fn};

use super::{
    Error,
    event::{Head, HttpEvent, Whole},
};
use crate::{
    answer::Tasks,
    clock::{Clock, Timestamp},
    error::Result as Outcome,
    telemetry,
};

/// What ends the description of a response, before its body (AWS Lambda developer guide, custom runtimes, response
/// streaming).
const DELIMITER: [u8; 8] = [0; 8];
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
/// What tells invocations of one request id apart; Lambda wants it back.
const INVOCATION: &str = "lambda-runtime-invocation-id";

/// Answers the events of an HTTP API with a service, each in one piece. With `AWS_LAMBDA_MAX_CONCURRENCY`, as many events
/// at once. `running` is what the service works on.
///
/// # Errors
/// Lambda gives no more events.
pub async fn serve(service: Router, running: &Tasks) -> Result<(), Error> {
    /// Of these functions no schedule wants anything.
    #[derive(Deserialize)]
    enum NoTask {}
    serve_with_tasks(service, running, |none: NoTask, _| -> Ready<Outcome<()>> { match none {} }).await
}

/// The same for a function that schedules trigger, too: an event with a `task` is read as a `T` and performed, until when
/// Lambda ends the invocation, and its outcome is the answer. Scheduler and Lambda try again what fails.
///
/// # Errors
/// Lambda gives no more events.
pub async fn serve_with_tasks<T, F, R>(
    service: Router,
    running: &Tasks,
    perform: impl Fn(T, Timestamp) -> F + Clone + Send + 'static,
) -> Result<(), Error>
where
    T: DeserializeOwned + Send,
    F: Future<Output = Outcome<R>> + Send + 'static,
    R: Serialize + Send,
{
    run(running, move |invocation: Arc<LambdaInvocation>| {
        let (service, perform) = (service.clone(), perform.clone());
        async move {
            let answer = match Trigger::of(&invocation.body)? {
                Trigger::Http(event) => {
                    serde_json::to_vec(&Whole::of(respond(service, *event, &invocation).await?).await?)
                }
                Trigger::Task(task) => {
                    let performed = perform(task, Timestamp(invocation.context.deadline)).await;
                    telemetry::flush().await;
                    serde_json::to_vec(&performed?)
                }
            };
            Ok(post(&invocation, "response").body(Body::from(answer?))?)
        }
    })
    .await
}

/// Answers the events of a function URL with a service, each piece of a response as it comes. With
/// `AWS_LAMBDA_MAX_CONCURRENCY`, as many events at once. `running` is what the service works on.
///
/// # Errors
/// Lambda gives no more events.
pub async fn stream(service: Router, running: &Tasks) -> Result<(), Error> {
    run(running, move |invocation: Arc<LambdaInvocation>| {
        let service = service.clone();
        async move {
            let event = serde_json::from_slice(&invocation.body)?;
            streamed(post(&invocation, "response"), respond(service, event, &invocation).await?)
        }
    })
    .await
}

/// What a function is invoked by.
enum Trigger<T> {
    Http(Box<HttpEvent>),
    Task(T),
}

impl<T: DeserializeOwned> Trigger<T> {
    fn of(event: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Scheduled {
            #[serde(rename = "task")]
            _task: String,
        }
        match serde_json::from_slice(event) {
            Ok(event) => Ok(Self::Http(event)),
            Err(_) if serde_json::from_slice::<Scheduled>(event).is_ok() => {
                serde_json::from_slice(event).map(Self::Task)
            }
            Err(error) => Err(error),
        }
    }
}

async fn respond(
    service: Router,
    event: HttpEvent,
    invocation: &LambdaInvocation,
) -> Result<http::Response<axum::body::Body>, Error> {
    let mut request = event.into_request()?;
    if let Some(trace) = invocation.context.xray_trace_id.as_deref().and_then(|id| id.parse().ok()) {
        request.headers_mut().insert("x-amzn-trace-id", trace);
    }
    let Ok(response) = service.oneshot(request).await;
    Ok(response)
}

/// Polls for events and posts what `answer` makes of each.
async fn run<F>(
    running: &Tasks,
    answer: impl Fn(Arc<LambdaInvocation>) -> F + Clone + Send + 'static,
) -> Result<(), Error>
where
    F: Future<Output = Result<http::Request<Body>, Error>> + Send + 'static,
{
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let lambda = Arc::new(PooledClient::builder().with_connector(connector).build());
    let running = running.clone();
    let handle = service_fn(move |invocation| {
        let (answer, lambda, running) = (answer.clone(), Arc::clone(&lambda), running.clone());
        Box::pin(async move {
            let invocation = Arc::new(invocation);
            let answered = answer(Arc::clone(&invocation)).await;
            let posted = match answered.or_else(|error| failed(&invocation, &error)) {
                Ok(request) => lambda.call(request).await,
                Err(error) => Err(error),
            };
            match posted {
                Ok(taken) if taken.status().is_success() => return Ok(()),
                Ok(refused) => tracing::warn!(status = refused.status().as_u16(), "Lambda did not take a response"),
                Err(error) => tracing::warn!(%error, "a response was not posted"),
            }
            // Whoever was to read it is gone. What was being answered is settled as if the client had left, before the
            // next poll lets Lambda freeze the process.
            let left = invocation.context.deadline.saturating_sub(Clock::System.now().0);
            if tokio::time::timeout(Duration::from_millis(left), running.idle()).await.is_err() {
                tracing::error!("not everything was settled in time; the sweep will");
            }
            telemetry::flush().await;
            Ok::<_, Error>(())
        })
    });
    // The runtime wants a handler of its own inside of the layers, and this layer asks it nothing.
    let unasked = service_fn(|_: LambdaEvent<Value>| future::ready(Ok::<_, Infallible>(Value::Null)));
    Runtime::new(unasked).layer(layer_fn(|_| handle.clone())).run_concurrent().await
}

/// What is told of an invocation.
fn post(invocation: &LambdaInvocation, what: &str) -> Builder {
    let id = &invocation.context.request_id;
    let request = build_request().method("POST").uri(format!("/2018-06-01/runtime/invocation/{id}/{what}"));
    match invocation.parts.headers.get(INVOCATION) {
        Some(invocation) => request.header(INVOCATION, invocation),
        None => request,
    }
}

/// An invocation that can't be answered (AWS Lambda developer guide, custom runtimes, invocation error).
fn failed(invocation: &LambdaInvocation, error: &Error) -> Result<http::Request<Body>, Error> {
    let ours = error.downcast_ref::<crate::error::Error>();
    let error_type = ours.map_or("Runtime.UnknownEvent", crate::error::Error::code).to_owned();
    // What is no event of ours may be anything, so it isn't logged.
    tracing::error!(error_type, error = ours.map(tracing::field::debug), "an invocation failed");
    let request = post(invocation, "error").header(ERROR_TYPE, &error_type);
    let error = Diagnostic { error_type, error_message: error.to_string() };
    Ok(request.body(Body::from(serde_json::to_vec(&error)?))?)
}

/// A response as Lambda wants it streamed: its head as JSON, the delimiter, then its body. An error in the body is told
/// in trailers.
fn streamed(request: Builder, response: http::Response<axum::body::Body>) -> Result<http::Request<Body>, Error> {
    let (mut parts, body) = response.into_parts();
    parts.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/octet-stream"));
    let mut head = serde_json::to_vec(&Head::of(parts.status, &parts.headers))?;
    head.extend(DELIMITER);
    let head = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from(head)))]);
    let pieces = BodyStream::new(body).map(|piece| Ok(piece.unwrap_or_else(|error| Frame::trailers(trailers(&error)))));
    let request = request
        .header(CONTENT_TYPE, "application/vnd.awslambda.http-integration-response")
        .header("lambda-runtime-function-response-mode", "streaming")
        .header("trailer", ERROR_TYPE)
        .header("trailer", ERROR_BODY);
    Ok(request.body(Body::new(StreamBody::new(head.chain(pieces))))?)
}

fn trailers(error: &axum::Error) -> HeaderMap {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let error = Diagnostic { error_type: "Runtime.StreamError".to_owned(), error_message: error.to_string() };
    let body = STANDARD.encode(serde_json::to_vec(&error).unwrap_or_default());
    let mut trailers = HeaderMap::new();
    trailers.insert(ERROR_TYPE, HeaderValue::from_static("Runtime.StreamError"));
    if let Ok(body) = body.try_into() {
        trailers.insert(ERROR_BODY, body);
    }
    trailers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(tag = "task", rename_all = "kebab-case")]
    enum Task {
        RotateKeys,
    }

    #[test]
    fn an_event_with_a_task_is_one() {
        assert!(matches!(Trigger::of(br#"{"task":"rotate-keys"}"#), Ok(Trigger::Task(Task::RotateKeys))));
        let request = br#"{"rawPath":"/","requestContext":{"http":{"method":"GET"}}}"#;
        assert!(matches!(Trigger::<Task>::of(request), Ok(Trigger::Http(_))));
    }

    #[test]
    fn an_event_that_is_neither_is_told_what_it_lacks() {
        let problem = |event: &str| match Trigger::<Task>::of(event.as_bytes()) {
            Ok(_) => panic!("{event} is something"),
            Err(error) => error.to_string(),
        };
        assert!(problem(r#"{"task":"rotate"}"#).contains("`rotate-keys`"));
        assert!(problem(r#"{"Records":[]}"#).contains("missing field `rawPath`"));
    }
}
