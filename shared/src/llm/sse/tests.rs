//! Streams as servers write them, cut anywhere.

use super::*;
use proptest::prelude::*;

/// All events of a stream whose bytes come in these pieces.
fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String)> {
    let mut parser = Parser::default();
    let mut events = Vec::new();
    for piece in pieces {
        parser.push(piece);
        while let Some(frame) = parser.next_event().unwrap() {
            events.push((frame.event.to_owned(), String::from_utf8_lossy(frame.data).into_owned()));
        }
    }
    events
}

fn data(text: &str) -> Vec<String> {
    events([text.as_bytes()]).into_iter().map(|(_, data)| data).collect()
}

#[test]
fn the_standards_examples_are_read() {
    assert_eq!(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
    let text = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
    assert_eq!(data(text), ["first event", "second event", " third event"]);
    assert_eq!(data("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
    assert_eq!(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
}

#[test]
fn every_line_end_ends_a_line() {
    assert_eq!(data("data: a\r\ndata: b\r\n\r\ndata: c\r\rdata: d\n\n"), ["a\nb", "c", "d"]);
}

#[test]
fn an_event_ends_with_its_carriage_return() {
    assert_eq!(events([b"data: a\r\r".as_slice()]).len(), 1);
    assert_eq!(events([b"data: a\r\n\r".as_slice(), b"\n", b"data: b\n\n"]).len(), 2);
}

#[test]
fn a_byte_order_mark_is_skipped_once() {
    assert_eq!(data("\u{feff}data: a\n\n\u{feff}data: b\n\n"), ["a"]);
}

#[test]
fn an_event_has_its_own_name_only() {
    let named = events([b"event: error\ndata: a\n\nevent: lost\n\ndata: b\n\n".as_slice()]);
    assert_eq!(named[0].0, "error");
    assert_eq!(named[1].0, "message");
}

#[test]
fn an_empty_name_is_none_wherever_the_stream_is_cut() {
    let pieces = [b"data: a\n\nevent:\n".as_slice(), b"data: b\n", b"\n"];
    assert_eq!(events(pieces)[1], ("message".to_owned(), "b".to_owned()));
}

#[test]
fn id_and_retry_are_kept() {
    let mut parser = Parser::default();
    parser.push(b"id: 7\nretry: 1500\ndata: a\n\nid: a\0b\nretry: soon\ndata: b\n\n");
    while parser.next_event().unwrap().is_some() {}
    assert_eq!((parser.last_event_id(), parser.retry()), ("7", Some(Duration::from_millis(1500))));
}

#[test]
fn an_endless_event_is_an_error_and_endless_comments_are_not() {
    let mut parser = Parser::default();
    let kilobyte = format!(":{}\n", "x".repeat(1022));
    for _ in 0..MAX_EVENT / 512 {
        parser.push(kilobyte.as_bytes());
        assert_eq!(parser.next_event(), Ok(None));
    }
    assert!(parser.buffer.capacity() < 64 * 1024);
    parser.push(b"data: ");
    parser.push(&vec![b'x'; MAX_EVENT]);
    assert_eq!(parser.next_event(), Err(TooLong));
    parser.push(b"\n\n");
    assert_eq!(parser.next_event(), Err(TooLong));
}

proptest! {
    #[test]
    fn a_stream_is_read_alike_however_it_is_cut(
        lines in prop::collection::vec(
            ("(\u{feff})?(data|event|id|retry||other)(: ?[a-zé:]{0,6})?", "\n|\r|\r\n|\n\n|\r\r|\r\n\r\n"), 0..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let text: String = lines.iter().flat_map(|(line, end)| [line.as_str(), end]).collect();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]);
        prop_assert_eq!(events(pieces), events([text.as_bytes()]));
    }
}
