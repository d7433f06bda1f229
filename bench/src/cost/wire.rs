//! The engines asked directly: what they counted, and what is in them. Nobody checks signatures there.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::lambda::Engines;

const PATIENCE: Duration = Duration::from_mins(1);

/// All calls so far, by caller, service and operation.
pub fn calls(engines: &Engines) -> io::Result<Value> {
    exchange(engines, "GET /_calls", "", "")
}

/// One operation of an AWS service, as in `DynamoDB_20120810.Scan`.
pub fn operation(engines: &Engines, target: &str, body: &Value) -> io::Result<Value> {
    let headers = format!("x-amz-target: {target}\r\ncontent-type: application/x-amz-json-1.1\r\n");
    exchange(engines, "POST /", &headers, &body.to_string())
}

/// The name of a table or stream that functions get by this variable.
pub fn variable(engines: &Engines, name: &str) -> String {
    engines.environment().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
}

fn exchange(engines: &Engines, line: &str, headers: &str, body: &str) -> io::Result<Value> {
    let host = engines.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!("{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    write!(stream, "{head}{headers}content-length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    if !head.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other(format!("{line}: {answer}")));
    }
    serde_json::from_str(body).map_err(io::Error::other)
}
