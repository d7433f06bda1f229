//! A provider of vectors: a real socket that speaks `OpenAI`'s format and Titan's.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use lmo_shared::llm::embed::to_base64;

use crate::support::{Value, json};

/// What it answers.
pub enum Reply {
    /// For each input a vector of halves but for its first number, which is the input's index and a half.
    Vectors { dimensions: usize, tokens: Option<u64> },
    /// As Amazon Titan: one number, the length of the text, for one token.
    Titan,
    /// A failure with this body.
    Status(u16, &'static str),
}

/// The provider. It lives as long as the test.
pub struct Provider {
    pub base_url: String,
    seen: Arc<Mutex<Seen>>,
}

/// What it was sent so far.
#[derive(Default)]
struct Seen {
    bodies: Vec<Value>,
    at_once: usize,
    most_at_once: usize,
}

impl Provider {
    /// One that answers its requests, counted from 0, like that.
    pub fn start(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, reply) = (Arc::<Mutex<Seen>>::default(), Arc::new(reply));
        let provider = Self { base_url, seen: Arc::clone(&seen) };
        thread::spawn(move || {
            for (count, socket) in listener.incoming().enumerate() {
                let (seen, reply) = (Arc::clone(&seen), Arc::clone(&reply));
                thread::spawn(move || answer(socket.unwrap(), &seen, || reply(count)));
            }
        });
        provider
    }

    /// The bodies of all requests.
    pub fn bodies(&self) -> Vec<Value> {
        lock(&self.seen).bodies.clone()
    }

    /// How many requests it had at the same time.
    pub fn most_at_once(&self) -> usize {
        lock(&self.seen).most_at_once
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(mut socket: TcpStream, seen: &Mutex<Seen>, reply: impl Fn() -> Reply) {
    let body = read(&mut socket);
    {
        let mut seen = lock(seen);
        seen.bodies.push(body.clone());
        seen.at_once += 1;
        seen.most_at_once = seen.most_at_once.max(seen.at_once);
    }
    let reply = reply();
    lock(seen).at_once -= 1;
    write(&mut socket, &reply, &body);
}

/// The JSON of a request.
fn read(socket: &mut TcpStream) -> Value {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let read = socket.read(&mut buffer).unwrap();
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
        if let Some(body) = body {
            return body;
        }
        assert!(read > 0, "a request without JSON: {text}");
    }
}

fn write(socket: &mut TcpStream, reply: &Reply, asked: &Value) {
    let (status, body) = match reply {
        Reply::Status(status, body) => (*status, (*body).to_owned()),
        Reply::Vectors { dimensions, tokens } => {
            let inputs = asked["input"].as_array().map_or(0, Vec::len);
            (200, vectors(inputs, *dimensions, *tokens).to_string())
        }
        Reply::Titan => {
            let length = asked["inputText"].as_str().unwrap().len();
            (200, json!({"embedding": [length], "inputTextTokenCount": 1}).to_string())
        }
    };
    let length = body.len();
    // A client that is gone doesn't read it.
    let _ = write!(
        socket,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
}

fn vectors(inputs: usize, dimensions: usize, tokens: Option<u64>) -> Value {
    let vector = |index: u8| {
        let first = f32::from(index) + 0.5;
        let numbers: Vec<f32> = std::iter::once(first).chain(std::iter::repeat_n(0.5, dimensions - 1)).collect();
        json!({"object": "embedding", "index": index, "embedding": to_base64(&numbers)})
    };
    // The last comes first: their indices say their order.
    let data: Vec<_> = (0..u8::try_from(inputs).unwrap()).rev().map(vector).collect();
    let usage = tokens.map(|tokens| json!({"prompt_tokens": tokens, "total_tokens": tokens}));
    json!({"object": "list", "data": data, "model": "small", "usage": usage})
}
