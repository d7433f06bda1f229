//! Against a stand-in that speaks SES's HTTP.

use std::sync::{Arc, Mutex};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    aws::CachedCredentials,
    clock::{Clock, Timestamp},
};

/// What the stand-in does with a request.
#[derive(Clone, Copy)]
enum Does {
    Answer(&'static str),
    /// It takes the mail, and its answer gets lost.
    Vanish,
}

const SENT: Does = Does::Answer("200 OK\r\ncontent-length: 18\r\n\r\n{\"MessageId\":\"0\"}\n");
const BUSY: Does =
    Does::Answer("429 Too Many Requests\r\nx-amzn-errortype: TooManyRequestsException\r\ncontent-length: 0\r\n\r\n");
const BROKEN: Does = Does::Answer("500 Internal Server Error\r\ncontent-length: 0\r\n\r\n");
const REJECTED: Does = Does::Answer(
    "400 Bad Request\r\nx-amzn-errortype: MessageRejected:http://internal.amazon.com/\r\ncontent-length: 21\r\n\r\n\
     not verified: a@b.org",
);

type Requests = Arc<Mutex<Vec<String>>>;

/// A stand-in that does one thing after the other, and what it was sent.
async fn stand_in(does: &'static [Does]) -> (Ses, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let requests = Requests::default();
    let kept = Arc::clone(&requests);
    tokio::spawn(async move {
        for what in does {
            let (mut socket, _) = listener.accept().await.unwrap();
            let request = read(&mut socket).await;
            kept.lock().unwrap().push(request);
            if let Does::Answer(answer) = what {
                let answer = format!("HTTP/1.1 {}", answer.replacen("\r\n", "\r\nconnection: close\r\n", 1));
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    let clock = Clock::manual(Timestamp::parse("2026-11-25T18:00:00Z").unwrap());
    let credentials = SharedCredentialsProvider::new(Credentials::new("AKID", "secret", None, None, "test"));
    let credentials = CachedCredentials::new(credentials, clock.clone());
    let signer = Signer { service: "ses", credentials, region: "eu-central-1".to_owned(), clock };
    let from = EmailAddress::parse("lmo@example.com").unwrap();
    (Ses::new(signer, from, Some(endpoint)).unwrap(), requests)
}

async fn read(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_lowercase()
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
            if body.len() == length {
                return text.into_owned();
            }
        }
        assert!(socket.read_buf(&mut bytes).await.unwrap() > 0, "cut off");
    }
}

fn mail() -> Mail {
    Mail::new(EmailAddress::parse("ann@example.org").unwrap(), "Grüße", "Hallo\n".to_owned())
}

#[tokio::test]
async fn a_mail_is_sent_as_ses_wants_it_and_signed() {
    let (ses, requests) = stand_in(&[SENT]).await;
    ses.send(&mail()).await.unwrap();
    let request = requests.lock().unwrap().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v2/email/outbound-emails HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Credential=AKID/20261125/eu-central-1/ses/aws4_request"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    let text = |text: &str| json!({"Data": text, "Charset": "UTF-8"});
    assert_eq!(
        body,
        json!({
            "FromEmailAddress": "lmo@example.com",
            "Destination": {"ToAddresses": ["ann@example.org"]},
            "Content": {"Simple": {"Subject": text("Grüße"), "Body": {"Text": text("Hallo\n")}}},
        })
    );
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for fault in [BUSY, BROKEN, Does::Vanish] {
        let does: &'static [Does] = Box::leak(Box::new([fault, fault, SENT]));
        let (ses, requests) = stand_in(does).await;
        ses.send(&mail()).await.unwrap();
        assert_eq!(requests.lock().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn what_does_not_pass_is_given_up_as_unavailable() {
    let (ses, requests) = stand_in(&[BUSY; PAUSES.len()]).await;
    let error = ses.send(&mail()).await.unwrap_err();
    let told = "unavailable: Amazon SES answered 429 Too Many Requests (TooManyRequestsException)";
    assert_eq!(format!("{error:?}"), told);
    assert_eq!(requests.lock().unwrap().len(), PAUSES.len());
}

#[tokio::test]
async fn a_refusal_is_final_and_its_log_line_has_no_address() {
    let (ses, requests) = stand_in(&[REJECTED, SENT]).await;
    let error = ses.send(&mail()).await.unwrap_err();
    assert_eq!(format!("{error:?}"), "internal: Amazon SES answered 400 Bad Request (MessageRejected)");
    assert_eq!(requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let (ses, _) = stand_in(&[]).await;
    // The stand-in has left.
    tokio::task::yield_now().await;
    let error = ses.send(&mail()).await.unwrap_err();
    assert_eq!(error.code(), "unavailable");
}
