//! What must hold of whatever bytes strangers send. Each function takes any bytes and panics if it doesn't hold.
//!
//! A fuzzer calls them without end (`fuzz/`, cargo-fuzz's layout, on nightly); the tests here call them a bounded number of
//! times, with random bytes and with good ones that were damaged.

#![expect(clippy::missing_panics_doc, reason = "a panic is what each of them is for")]

use std::str;

use lmo_shared::{
    auth::{AccessClaims, PresentedKey, signed_by},
    clock::Timestamp,
    error::Error,
    http::{self, AskRequest, Page, read_cursor},
    id::RequestId,
    llm::sse::Parser,
};
use lmo_stream::translate;

#[cfg(test)]
mod tests;

/// A key's text: it is read as what it says, or not at all.
pub fn key(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Some(key) = PresentedKey::parse(text) {
        let ids = format!("lmo_{}{}_", key.tenant.ulid(), key.key.ulid());
        assert!(text.len() == 117 && text[..57].eq_ignore_ascii_case(&ids), "another key was read");
        // What is logged of it has nothing of its secret.
        assert!(!format!("{key:?}").contains(&text[57..109]));
    }
}

/// An access token's text and its claims.
pub fn token(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes)
        && signed_by(text).is_some()
    {
        assert_eq!(text.bytes().filter(|byte| *byte == b'.').count(), 2, "no token has so many parts");
    }
    if let Ok(claims) = serde_json::from_slice::<AccessClaims>(bytes) {
        let written = serde_json::to_vec(&claims).expect("claims can be written");
        let read: AccessClaims = serde_json::from_slice(&written).expect("what was written can be read");
        assert_eq!(read, claims);
    }
}

/// A list's cursor: it is one that was given out, or none.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Some(after) = read_cursor(text) {
        assert_eq!(Page::cursor(&after), text);
        assert!(Page::of(None, Some(text), "", 100).is_ok_and(|page| page.after == Some(after)));
    }
}

/// A provider's stream of server-sent events: the same however it is cut. The first byte says how.
pub fn sse(bytes: &[u8]) {
    let Some((size, stream)) = bytes.split_first() else { return };
    let whole = events(&mut Parser::default(), &[stream]);
    let pieces: Vec<_> = stream.chunks(usize::from(*size).max(1)).collect();
    assert_eq!(events(&mut Parser::default(), &pieces), whole);
}

fn events(parser: &mut Parser, pieces: &[&[u8]]) -> Vec<(String, Vec<u8>)> {
    let mut events = Vec::new();
    for piece in pieces {
        parser.push(piece);
        while let Ok(Some(frame)) = parser.next_event() {
            events.push((frame.event.to_owned(), frame.data.to_vec()));
        }
    }
    events
}

/// A request's body, in each of the formats that clients may write: it is read, or refused in words that are safe to log.
pub fn body(bytes: &[u8]) {
    let id = RequestId::new(Timestamp(0));
    let read = [
        http::parse::<AskRequest>(bytes).map(drop),
        translate::chat_completions(bytes, id, "model").map(drop),
        translate::messages(bytes, id, "model").map(drop),
        translate::responses(bytes, id, "model").map(drop),
    ];
    for refused in read.into_iter().filter_map(Result::err) {
        assert!(!refused.is_fault() && !matches!(refused, Error::Unauthenticated(_)), "{refused:?}");
        assert!(!refused.to_string().is_empty());
    }
}
