//! Frames, joined and split.

use super::*;

fn delta(text: &str) -> OwnEvent {
    OwnEvent::Delta(Piece { choice: 0, text: text.to_owned(), extra: Fields::new() })
}

fn call(name: Option<&str>, arguments: &str) -> OwnEvent {
    let name = name.map(str::to_owned);
    OwnEvent::ToolCall(CallPiece { choice: 0, index: 0, id: name.clone(), name, arguments: arguments.to_owned() })
}

fn frames(events: Vec<OwnEvent>) -> Vec<Value> {
    let texts = Frames::new(Some("q\u{1}".repeat(64))).events(events);
    assert!(texts.iter().all(|text| text.len() <= FRAME), "{:?}", texts.iter().map(String::len).collect::<Vec<_>>());
    texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

/// What all frames say in a field of their data.
fn said(frames: &[Value], field: &str) -> String {
    frames.iter().filter_map(|frame| frame["data"][field].as_str()).collect()
}

#[test]
fn a_frame_says_whose_which_and_what() {
    let frames = Frames::new(Some("1".to_owned())).events(vec![delta("hi")]);
    assert_eq!(frames, [r#"{"id":"1","seq":0,"event":"delta","data":{"choice":0,"text":"hi"}}"#]);
    let frames = Frames::new(None).events(vec![delta("hi")]);
    assert_eq!(frames, [r#"{"seq":0,"event":"delta","data":{"choice":0,"text":"hi"}}"#]);
    assert_eq!(Frames::new(None).pong(), r#"{"event":"pong"}"#);
}

#[test]
fn pieces_that_are_there_at_the_same_time_share_a_frame() {
    let events = vec![delta("a"), delta("b"), call(Some("f"), "{"), call(None, "}"), delta("c"), call(Some("g"), "1")];
    let frames = frames(events);
    let pieces: Vec<_> = frames.iter().map(|frame| &frame["data"]).collect();
    assert_eq!((&pieces[0]["text"], &pieces[1]["arguments"]), (&json!("ab"), &json!("{}")));
    assert_eq!((&pieces[2]["text"], &pieces[3]["name"], pieces.len()), (&json!("c"), &json!("g"), 4));
    assert_eq!(frames.iter().map(|frame| frame["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn pieces_of_other_alternatives_and_with_other_fields_stay_apart() {
    let mut other = Piece { choice: 1, text: "b".to_owned(), extra: Fields::new() };
    assert_eq!(frames(vec![delta("a"), OwnEvent::Delta(other.clone())]).len(), 2);
    other.choice = 0;
    other.extra.insert("logprobs".to_owned(), json!([1]));
    assert_eq!(frames(vec![delta("a"), OwnEvent::Delta(other), delta("c")]).len(), 3);
}

#[test]
fn a_text_of_any_length_and_kind_is_split_and_nothing_is_lost() {
    for sample in ["a", "日", "\"", "\u{1}", "🦀\n"] {
        let text = sample.repeat(100_000);
        let frames = frames(vec![delta(&text)]);
        assert!(frames.len() > 2);
        assert_eq!(said(&frames, "text"), text);
        assert_eq!(frames.last().unwrap()["seq"], frames.len() - 1);
    }
}

#[test]
fn a_long_call_says_its_id_and_name_once() {
    let arguments = format!("{{\"text\":\"{}\"}}", "x".repeat(100_000));
    let frames = frames(vec![call(Some("write"), &arguments)]);
    assert_eq!(said(&frames, "arguments"), arguments);
    assert_eq!((said(&frames, "name").as_str(), said(&frames, "id").as_str()), ("write", "write"));
}

#[test]
fn fields_of_the_providers_own_are_split_as_they_are_put_together() {
    let reasoning = "hm ".repeat(30_000);
    let blocks: Vec<_> = (0..5).map(|n| json!({"n": n, "text": "y".repeat(20_000)})).collect();
    let extra = json!({"reasoning_content": reasoning, "thinking_blocks": blocks});
    let extra = serde_json::from_value(extra).unwrap();
    let frames = frames(vec![OwnEvent::Delta(Piece { choice: 0, text: "so".to_owned(), extra })]);
    assert_eq!((said(&frames, "reasoning_content"), said(&frames, "text")), (reasoning, "so".to_owned()));
    let heard: Vec<_> =
        frames.iter().filter_map(|frame| frame["data"]["thinking_blocks"].as_array()).flatten().collect();
    assert_eq!(heard, blocks.iter().collect::<Vec<_>>());
}

#[test]
fn an_error_is_a_problem_document_that_says_when_to_come_again() {
    let frame = Frames::new(None).error(&Error::Unavailable("x".into()), "req_1", Timestamp(0));
    let data = serde_json::from_str::<Value>(&frame).unwrap()["data"].clone();
    let expected = json!({
        "type": "about:blank", "title": "Service Unavailable", "status": 503, "code": "unavailable",
        "detail": "the service is busy, try again", "request_id": "req_1", "retryable": true, "retry_after": 1
    });
    assert_eq!(data, expected);
}
