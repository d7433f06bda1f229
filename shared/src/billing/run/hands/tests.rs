//! Against a stand-in that speaks Lambda's HTTP.

use std::sync::{Arc, Mutex};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{aws::CachedCredentials, clock::Clock};

const PUT_DOWN: &str = "202 Accepted";
const BUSY: &str = "429 Too Many Requests";
const BROKEN: &str = "500 Internal Server Error";
const REFUSED: &str = "403 Forbidden";

/// A stand-in that gives one answer after the other, and what it was sent.
async fn stand_in(answers: &'static [&'static str]) -> (Invoker, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let requests = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&requests);
    tokio::spawn(async move {
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"}") {
                assert!(socket.read_buf(&mut bytes).await.unwrap() > 0, "cut off");
            }
            kept.lock().unwrap().push(String::from_utf8(bytes).unwrap());
            let answer = format!("HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (invoker("7", Some(endpoint)), requests)
}

fn invoker(version: &str, endpoint: Option<Url>) -> Invoker {
    let credentials = SharedCredentialsProvider::new(Credentials::new("AKID", "secret", None, None, "test"));
    let credentials = CachedCredentials::new(credentials, Clock::System);
    let signer = Signer { service: "lambda", credentials, region: "eu-central-1".to_owned(), clock: Clock::System };
    let function = OwnFunction { name: "lmo-billing".to_owned(), version: version.to_owned() };
    Invoker { signer, function, endpoint }
}

#[tokio::test]
async fn an_invocation_is_asked_for_as_lambda_wants_it_and_signed() {
    let (invoker, requests) = stand_in(&[PUT_DOWN]).await;
    invoker.invoke(vec![json!({"task": "bill-part", "month": "2026-10", "part": 3})]).await.unwrap();
    let request = requests.lock().unwrap().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /2015-03-31/functions/lmo-billing/invocations?Qualifier=7 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("x-amz-invocation-type: Event\r\n"), "{head}");
    assert!(head.contains("Credential=AKID/") && head.contains("/eu-central-1/lambda/aws4_request"), "{head}");
    assert!(!head.to_lowercase().contains("x-amzn-trace-id"), "{head}");
    assert_eq!(body, r#"{"task":"bill-part","month":"2026-10","part":3}"#);
}

#[tokio::test]
async fn what_lambda_can_not_take_now_is_asked_for_again() {
    let (invoker, requests) = stand_in(&[BUSY, BROKEN, PUT_DOWN]).await;
    invoker.invoke(vec![json!({"part": 1})]).await.unwrap();
    let bodies: Vec<_> = requests.lock().unwrap().iter().map(|request| request.ends_with(r#"{"part":1}"#)).collect();
    assert_eq!(bodies, [true; 3]);
}

#[tokio::test]
async fn an_invocation_that_is_refused_stops_no_other() {
    let (invoker, requests) = stand_in(&[REFUSED, PUT_DOWN, PUT_DOWN]).await;
    let events = (0..3).map(|part| json!({"part": part})).collect();
    let refused = invoker.invoke(events).await.unwrap_err();
    assert_eq!(format!("{refused:?}"), "internal: AWS Lambda answered 403 Forbidden");
    assert_eq!(requests.lock().unwrap().len(), 3);
}

#[test]
fn the_version_that_is_no_version_is_named_too() {
    let url = invoker("$LATEST", None).url().unwrap();
    let expected =
        "https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/lmo-billing/invocations?Qualifier=%24LATEST";
    assert_eq!(url.as_str(), expected);
}
