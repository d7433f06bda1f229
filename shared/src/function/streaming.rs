//! Streamed responses, posted to Lambda piece by piece. `lambda_http` posts them on a connection with Nagle's algorithm,
//! where a small piece waits until Lambda has acknowledged the one before it, for up to 40 ms, and it has no setting for
//! that. Polling for events stays with `lambda_runtime`.

use std::{convert::Infallible, sync::Arc};

use axum::Router;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_TYPE, SET_COOKIE},
    request::Builder,
};
use http_body::Frame;
use http_body_util::{BodyStream, StreamBody};
use hyper_util::client::legacy::connect::HttpConnector;
use lambda_http::request::LambdaRequest;
use lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, MetadataPrelude, Runtime, service_fn};
use lambda_runtime_api_client::{PooledClient, body::Body, build_request};
use serde_json::Value;
use tower::{ServiceExt, layer::layer_fn};

use super::Error;

/// What ends the description of a response, before its body (AWS Lambda developer guide, custom runtimes, response
/// streaming).
const DELIMITER: [u8; 8] = [0; 8];
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
/// What tells invocations of one request id apart; Lambda wants it back.
const INVOCATION: &str = "lambda-runtime-invocation-id";

/// Answers the events of a function URL with a service, each piece of a response as it comes. With
/// `AWS_LAMBDA_MAX_CONCURRENCY`, as many events at once.
///
/// # Errors
/// Lambda gives no more events.
pub async fn stream(service: Router) -> Result<(), Error> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let lambda = Arc::new(PooledClient::builder().with_connector(connector).build());
    let answer = service_fn(move |invocation| {
        let (service, lambda) = (service.clone(), Arc::clone(&lambda));
        Box::pin(async move { answer(service, &lambda, invocation).await })
    });
    // The runtime wants a handler of its own inside of the layers, and this layer asks it nothing.
    let unasked = service_fn(async |_: LambdaEvent<Value>| Ok::<_, Infallible>(Value::Null));
    Runtime::new(unasked).layer(layer_fn(|_| answer.clone())).run_concurrent().await
}

async fn answer(service: Router, lambda: &PooledClient, invocation: LambdaInvocation) -> Result<(), Error> {
    let to = |what| post(&invocation, what);
    let posted = match serde_json::from_slice::<LambdaRequest>(&invocation.body) {
        Ok(mut event) => {
            if let LambdaRequest::ApiGatewayV2(event) = &mut event {
                event.raw_query_string = event.raw_query_string.as_deref().map(escaped);
            }
            let mut request = http::Request::from(event);
            if let Some(trace) = invocation.context.xray_trace_id.as_deref().and_then(|id| id.parse().ok()) {
                request.headers_mut().insert("x-amzn-trace-id", trace);
            }
            let Ok(response) = service.oneshot(request).await;
            lambda.call(streamed(to("response"), response)?).await
        }
        Err(error) => {
            let error = Diagnostic { error_type: "Runtime.UnknownEvent".to_owned(), error_message: error.to_string() };
            let request = to("error").header(ERROR_TYPE, &error.error_type);
            lambda.call(request.body(Body::from(serde_json::to_vec(&error)?))?).await
        }
    };
    // Whoever was to read it is gone; what was being answered is settled as if the client had left.
    match posted {
        Ok(taken) if taken.status().is_success() => {}
        Ok(refused) => tracing::warn!(status = refused.status().as_u16(), "Lambda did not take a response"),
        Err(error) => tracing::warn!(%error, "a response was not posted"),
    }
    Ok(())
}

/// A query without what no address may have: the conversion panics at it.
fn escaped(query: &str) -> String {
    let mut text = String::with_capacity(query.len());
    for byte in query.bytes() {
        match byte {
            b'!' | b'$'..=b';' | b'=' | b'?'..=b'~' => text.push(char::from(byte)),
            _ => text.extend(["%", &format!("{byte:02X}")]),
        }
    }
    text
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

/// A response as Lambda wants it streamed: its head as JSON, the delimiter, then its body. An error in the body is told
/// in trailers.
fn streamed(request: Builder, response: http::Response<axum::body::Body>) -> Result<http::Request<Body>, Error> {
    let (parts, body) = response.into_parts();
    let mut headers = parts.headers;
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/octet-stream"));
    let cookies =
        headers.get_all(SET_COOKIE).iter().map(|cookie| String::from_utf8_lossy(cookie.as_bytes()).into_owned());
    let cookies = cookies.collect();
    headers.remove(SET_COOKIE);
    let mut head = serde_json::to_vec(&MetadataPrelude { status_code: parts.status, headers, cookies })?;
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
