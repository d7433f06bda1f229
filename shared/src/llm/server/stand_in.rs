//! A provider's stand-in for the tests: a real socket, on which a test writes the bytes of its answer.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use http::HeaderMap;

use super::Server;
use crate::llm::{Endpoint, OutputLimitField, WireFormat};

/// Longer than any test takes.
pub(in crate::llm) const LONG: Duration = Duration::from_secs(20);

/// A server that reads one request per connection, hands its text over and lets `answer` write to the socket.
pub(in crate::llm) fn serve(answer: impl Fn(TcpStream) + Send + 'static) -> (Server, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/v1/?api-version=1", listener.local_addr().unwrap()).parse().unwrap();
    let (requests, received) = mpsc::channel();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            requests.send(request(&mut socket)).ok();
            answer(socket);
        }
    });
    let endpoint = Endpoint {
        format: WireFormat::ChatCompletions,
        signer: None,
        base_url,
        api_key: Some("sk-test".to_owned()),
        first_byte_timeout: LONG,
        idle_timeout: LONG,
        output_limit_field: OutputLimitField::MaxTokens,
        headers: HeaderMap::new(),
    };
    (Server::new(crate::llm::provider::client(LONG).unwrap(), endpoint), received)
}

/// Reads a request up to the end of its JSON.
pub(in crate::llm) fn request(socket: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.ends_with('}') {
        let read = socket.read(&mut buffer).unwrap();
        text.push_str(str::from_utf8(&buffer[..read]).unwrap());
    }
    text
}

/// Writes pieces of a chunked body; an empty one ends it.
pub(in crate::llm) fn chunks(socket: &mut TcpStream, texts: &[&str]) {
    for text in texts {
        write!(socket, "{:x}\r\n{text}\r\n", text.len()).unwrap();
    }
}
