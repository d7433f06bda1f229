//! The call against a server that speaks real bytes over a real socket.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpListener,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use futures_util::StreamExt;

use super::{
    Server,
    stand_in::{LONG, chunks, request, serve},
};
use crate::{
    llm::{Call, Event, Message, Prompt, ProviderError, Role},
    money::Tokens,
};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const HELLO: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const SHORT: Duration = Duration::from_millis(100);

/// Calls and collects the answer: the texts, and the error that ended it.
async fn ask(openai: &Server, stream: bool, time_left: Duration) -> (Vec<String>, Option<ProviderError>) {
    let prompt = Prompt::new(vec![Message::text(Role::User, "hi")]);
    let call = Call { model: "m", prompt: &prompt, max_output: Tokens(9), stream, time_left };
    let mut texts = Vec::new();
    let mut events = match openai.call(call).await {
        Ok(events) => events,
        Err(error) => return (texts, Some(error)),
    };
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Chunk(chunk)) => texts.extend(chunk.choices.into_iter().filter_map(|delta| delta.text)),
            Ok(Event::Usage(_)) => {}
            Err(error) => return (texts, Some(error)),
        }
    }
    (texts, None)
}

#[tokio::test]
async fn a_stream_is_asked_for_and_read_to_its_end() {
    let (openai, requests) = serve(|mut socket| {
        socket.write_all(HEAD.as_bytes()).unwrap();
        chunks(&mut socket, &[HELLO, STOP, DONE, ""]);
    });
    assert_eq!(ask(&openai, true, LONG).await, (vec!["hello".to_owned()], None));
    let request = requests.recv().unwrap();
    assert!(request.starts_with("POST /v1/chat/completions?api-version=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.to_ascii_lowercase().contains("authorization: bearer sk-test\r\n"));
    assert!(request.contains(r#""max_tokens":9"#) && request.contains(r#""include_usage":true"#));
}

#[tokio::test]
async fn the_connection_is_used_again() {
    let (openai, requests) = serve(|mut socket| {
        for _ in 0..2 {
            socket.write_all(HEAD.as_bytes()).unwrap();
            chunks(&mut socket, &[HELLO, STOP, DONE]);
            thread::sleep(Duration::from_millis(1));
            chunks(&mut socket, &[""]);
            request(&mut socket);
        }
    });
    assert_eq!(ask(&openai, true, LONG).await.1, None);
    assert_eq!(ask(&openai, true, LONG).await.1, None);
    assert_eq!(requests.try_iter().count(), 1);
}

#[tokio::test]
async fn a_whole_answer_is_read_though_a_stream_was_asked_for() {
    let (openai, _requests) = serve(|mut socket| {
        let body = r#"{"choices":[{"index":0,"message":{"content":"hello"},"finish_reason":"stop"}]}"#;
        let length = body.len();
        write!(socket, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
            .unwrap();
    });
    assert_eq!(ask(&openai, true, LONG).await, (vec!["hello".to_owned()], None));
}

#[tokio::test]
async fn dropping_the_events_closes_the_connection() {
    let (closed, told) = mpsc::channel();
    let (openai, _requests) = serve(move |mut socket| {
        socket.write_all(HEAD.as_bytes()).unwrap();
        chunks(&mut socket, &[HELLO]);
        let end = socket.read(&mut [0; 1]);
        let gone = matches!(&end, Ok(0)) || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        closed.send(gone).unwrap();
    });
    let prompt = Prompt::new(Vec::new());
    let call = Call { model: "m", prompt: &prompt, max_output: Tokens(9), stream: true, time_left: LONG };
    let mut events = openai.call(call).await.unwrap();
    assert!(events.next().await.unwrap().is_ok());
    drop(events);
    let told = tokio::task::spawn_blocking(move || told.recv_timeout(Duration::from_secs(2)));
    assert_eq!(told.await.unwrap(), Ok(true));
}

#[tokio::test]
async fn a_connection_that_breaks_cuts_the_answer() {
    let (openai, _requests) = serve(|mut socket| {
        socket.write_all(HEAD.as_bytes()).unwrap();
        chunks(&mut socket, &[HELLO]);
    });
    assert_eq!(ask(&openai, true, LONG).await, (vec!["hello".to_owned()], Some(ProviderError::Cut)));
}

#[tokio::test]
async fn a_body_that_ends_early_cuts_the_answer() {
    let (openai, _requests) = serve(|mut socket| {
        socket.write_all(HEAD.as_bytes()).unwrap();
        chunks(&mut socket, &[HELLO, ""]);
    });
    assert_eq!(ask(&openai, true, LONG).await, (vec!["hello".to_owned()], Some(ProviderError::Cut)));
}

#[tokio::test]
async fn a_silence_is_a_timeout() {
    let (mut openai, _requests) = serve(|mut socket| {
        socket.write_all(HEAD.as_bytes()).unwrap();
        chunks(&mut socket, &[HELLO]);
        socket.read_exact(&mut [0; 1]).ok();
    });
    Arc::make_mut(&mut openai.endpoint).idle_timeout = SHORT;
    assert_eq!(ask(&openai, true, LONG).await, (vec!["hello".to_owned()], Some(ProviderError::Timeout)));
}

#[tokio::test]
async fn the_deadline_ends_a_stream_that_goes_on() {
    let (openai, _requests) = serve(|mut socket| {
        socket.write_all(HEAD.as_bytes()).unwrap();
        while write!(socket, "3\r\n:.\n\r\n").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    assert_eq!(ask(&openai, true, SHORT).await, (Vec::new(), Some(ProviderError::Timeout)));
}

#[tokio::test]
async fn no_first_byte_is_a_timeout_of_a_stream_only() {
    let (mut openai, _requests) = serve(|mut socket| {
        thread::sleep(SHORT * 3);
        let body = r#"{"choices":[{"message":{"content":"late"}}]}"#;
        write!(socket, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).ok();
    });
    Arc::make_mut(&mut openai.endpoint).first_byte_timeout = SHORT;
    assert_eq!(ask(&openai, true, LONG).await, (Vec::new(), Some(ProviderError::Timeout)));
    assert_eq!(ask(&openai, false, LONG).await, (vec!["late".to_owned()], None));
}

#[tokio::test]
async fn a_refusal_is_its_error() {
    let (openai, _requests) = serve(|mut socket| {
        socket.write_all(b"HTTP/1.1 429 Slow\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let limited = ProviderError::RateLimited { retry_after: Some(Duration::from_secs(2)) };
    assert_eq!(ask(&openai, true, LONG).await, (Vec::new(), Some(limited)));
}

#[tokio::test]
async fn nobody_there_is_connect() {
    let (mut openai, _requests) = serve(drop);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Arc::make_mut(&mut openai.endpoint).base_url = format!("http://{free}").parse().unwrap();
    assert_eq!(ask(&openai, true, LONG).await, (Vec::new(), Some(ProviderError::Connect)));
}

#[tokio::test]
async fn a_connection_closed_before_the_head_is_connect() {
    let (openai, _requests) = serve(drop);
    assert_eq!(ask(&openai, true, LONG).await, (Vec::new(), Some(ProviderError::Connect)));
}
