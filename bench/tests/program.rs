//! The stand-in as a program.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

#[test]
fn the_program_prints_its_base_url_and_answers() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_standin")).stdout(Stdio::piped()).spawn().unwrap();
    let mut base_url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut base_url).unwrap();
    let addr = base_url.trim().strip_prefix("http://").unwrap().strip_suffix("/v1").unwrap();
    let answers = std::net::TcpStream::connect(addr).is_ok();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(answers);
}
