//! The host, spoken to as a runtime speaks to it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use super::{Fault, Host, HttpEvent, Invoke};

/// Sends a request as it stands and returns everything that comes back.
fn exchange(host: &Host, request: &str) -> String {
    let mut stream = TcpStream::connect(host.addr()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // A cut may be seen as a reset.
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn get(host: &Host, path: &str) -> String {
    exchange(host, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"))
}

fn post(host: &Host, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    exchange(
        host,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        ),
    )
}

const NEXT: &str = "/2018-06-01/runtime/invocation/next";

/// The request id of an event that was just taken.
fn take(host: &Host) -> String {
    let answer = get(host, NEXT);
    let (_, rest) = answer.split_once("lambda-runtime-aws-request-id: ").unwrap();
    rest.lines().next().unwrap().to_owned()
}

fn path(id: &str, verb: &str) -> String {
    format!("/2018-06-01/runtime/invocation/{id}/{verb}")
}

#[tokio::test]
async fn an_event_is_given_with_its_header_fields() {
    let host = Host::start().unwrap();
    let _invocation = host.invoke(&json!({"task": "sweep"}));
    let answer = get(&host, NEXT);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"task\":\"sweep\"}"), "{answer}");
    for name in ["aws-request-id", "deadline-ms", "invoked-function-arn", "trace-id"] {
        assert!(answer.contains(&format!("\r\nlambda-runtime-{name}: ")), "{answer}");
    }
}

#[tokio::test]
async fn a_buffered_response_is_an_http_answer() {
    let host = Host::start().unwrap();
    let invocation = host.invoke(&json!({}));
    let payload = json!({
        "statusCode": 201, "headers": {"content-type": "text/plain"}, "cookies": ["a=b"], "body": "aGk=", "isBase64Encoded": true,
    });
    let accepted = post(&host, &path(&take(&host), "response"), "", &payload.to_string());
    assert!(accepted.starts_with("HTTP/1.1 202 Accepted"), "{accepted}");
    let answer = invocation.answer().await;
    assert!(!answer.streamed && answer.ended.is_some() && answer.taken.is_some());
    let http = answer.http().unwrap();
    assert_eq!((http.status, http.header("content-type"), http.text().as_str()), (201, "text/plain", "hi"));
    assert_eq!(http.cookies, ["a=b"]);
}

const STREAMING: &str = "lambda-runtime-function-response-mode: streaming\r\n\
    content-type: application/vnd.awslambda.http-integration-response\r\ntransfer-encoding: chunked\r\n";

fn chunk(bytes: &str) -> String {
    format!("{:x}\r\n{bytes}\r\n", bytes.len())
}

#[tokio::test]
async fn chunks_are_seen_before_the_next_is_sent() {
    let host = Host::start().unwrap();
    let mut invocation = host.invoke(&json!({}));
    let id = take(&host);
    let mut stream = TcpStream::connect(host.addr()).unwrap();
    let head = format!("POST {} HTTP/1.1\r\nhost: a\r\n{STREAMING}\r\n", path(&id, "response"));
    stream.write_all(head.as_bytes()).unwrap();
    let prelude = "{\"statusCode\":200,\"headers\":{\"x-a\":[\"1\",\"2\"]},\"cookies\":[\"c=d\"]}";
    for piece in [prelude, "\0\0\0\0\0\0\0\0", "one ", "two"] {
        stream.write_all(chunk(piece).as_bytes()).unwrap();
        assert_eq!(invocation.chunk().await.unwrap(), piece);
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let answer = invocation.answer().await;
    assert!(answer.streamed && answer.ended.is_some() && answer.error.is_none());
    assert_eq!(answer.content_type, "application/vnd.awslambda.http-integration-response");
    let http = answer.http().unwrap();
    assert_eq!((http.status, http.text().as_str(), http.headers.get_all("x-a").iter().count()), (200, "one two", 2));
    assert_eq!(http.cookies, ["c=d"]);
}

#[tokio::test]
async fn an_error_in_the_trailers_is_one_of_the_function() {
    let host = Host::start().unwrap();
    let invocation = host.invoke(&json!({}));
    let trailers =
        "Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\nLambda-Runtime-Function-Error-Body: e30=\r\n";
    let id = take(&host);
    let trailer = "trailer: lambda-runtime-function-error-type, lambda-runtime-function-error-body\r\n";
    let answered = exchange(
        &host,
        &format!(
            "POST {} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{trailer}{STREAMING}\r\n{}0\r\n{trailers}\r\n",
            path(&id, "response"),
            chunk("{}\0\0\0\0\0\0\0\0half"),
        ),
    );
    assert!(answered.starts_with("HTTP/1.1 202"), "{answered}");
    let error = invocation.answer().await.error.unwrap();
    assert_eq!((error.kind.as_str(), error.body.as_str()), ("Runtime.StreamError", "e30="));
}

#[tokio::test]
async fn an_error_is_passed_on() {
    let host = Host::start().unwrap();
    let invocation = host.invoke(&json!({}));
    let body = json!({"errorType": "a", "errorMessage": "b"}).to_string();
    post(&host, &path(&take(&host), "error"), "lambda-runtime-function-error-type: unhandled\r\n", &body);
    let error = invocation.answer().await.error.unwrap();
    assert_eq!((error.kind.as_str(), error.body), ("unhandled", body));
}

#[tokio::test]
async fn an_answer_to_nothing_is_refused() {
    let host = Host::start().unwrap();
    assert!(post(&host, &path("nobody", "response"), "", "{}").starts_with("HTTP/1.1 400"));
    let _invocation = host.invoke(&json!({}));
    let id = take(&host);
    assert!(post(&host, &path(&id, "response"), "", "{}").starts_with("HTTP/1.1 202"));
    assert!(post(&host, &path(&id, "response"), "", "{}").starts_with("HTTP/1.1 400"), "it was answered already");
}

#[tokio::test]
async fn a_response_of_more_than_six_megabytes_is_refused() {
    let host = Host::start().unwrap();
    let invocation = host.invoke(&json!({}));
    let answered = post(&host, &path(&take(&host), "response"), "", &"a".repeat(6_300_000));
    assert!(answered.is_empty() || answered.starts_with("HTTP/1.1 413"), "{answered}");
    assert_eq!(invocation.answer().await.error.unwrap().kind, "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn a_failure_to_start_is_told() {
    let host = Host::start().unwrap();
    assert_eq!(host.init_error_so_far(), None);
    let body = json!({"errorType": "a", "errorMessage": "LMO_TABLE: is missing"}).to_string();
    let headers = "lambda-runtime-function-error-type: Runtime.InitError\r\n";
    assert!(post(&host, "/2018-06-01/runtime/init/error", headers, &body).starts_with("HTTP/1.1 202"));
    let error = host.init_error().await;
    assert_eq!((error.kind.as_str(), error.body), ("Runtime.InitError", body));
}

#[tokio::test]
async fn an_extension_registers() {
    let host = Host::start().unwrap();
    let headers = "lambda-extension-name: helper\r\n";
    let answer = post(&host, "/2020-01-01/extension/register", headers, "{\"events\":[]}");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\r\nlambda-extension-identifier: "), "{answer}");
    assert_eq!(host.extensions(), ["helper"]);
}

#[tokio::test]
async fn a_fault_happens_once() {
    let host = Host::start().unwrap();
    host.fail(Fault::NextFails(500));
    let invocation = host.invoke(&json!({}));
    assert!(get(&host, NEXT).starts_with("HTTP/1.1 500"));
    host.fail(Fault::ResponseCut(2));
    assert_eq!(post(&host, &path(&take(&host), "response"), "", "{}"), "");
    let answer = invocation.answer().await;
    assert_eq!((answer.body().as_slice(), answer.ended), (&b"{}"[..], None));
}

#[tokio::test]
async fn the_first_poll_ends_the_initialisation() {
    let host = Host::start().unwrap();
    let before = std::time::Instant::now();
    let _invocation = host.invoke(&json!({}));
    get(&host, NEXT);
    assert!(host.first_poll().await >= before);
}

#[test]
fn an_event_is_changed_where_it_says_so() {
    let event =
        HttpEvent::file("apigw-query.json").key("lmo_k").body(&json!({"query": "a"})).at("POST", "/v1/embeddings");
    let event: serde_json::Value = serde_json::from_slice(&Invoke::from(&event).event).unwrap();
    assert_eq!(event["headers"]["authorization"], "Bearer lmo_k");
    assert_eq!((&event["body"], &event["headers"]["content-length"]), (&json!("{\"query\":\"a\"}"), &json!("13")));
    assert_eq!(event["requestContext"]["http"]["path"], "/v1/embeddings");
}
