use super::*;
use crate::llm::{Native, Reported, ToolCallDelta, WireFormat};

fn emails() -> Guard {
    guard(json!({"mask": [{"kind": "email"}]}))
}

fn deny(pattern: &str) -> Guard {
    guard(json!({"deny": [{"name": "rule", "pattern": pattern}]}))
}

fn delta(value: Value) -> Chunk {
    Chunk { choices: vec![serde_json::from_value(value).unwrap()], ..Chunk::default() }
}

/// The only choice of a chunk after the guard.
fn pass(stream: &mut StreamGuard, value: Value) -> Value {
    let mut chunk = delta(value);
    assert!(matches!(stream.push(&mut chunk), Verdict::Pass | Verdict::Replace));
    chunk.choices.pop().map_or(Value::Null, |delta| serde_json::to_value(delta).unwrap())
}

fn call(index: u32, name: Option<&str>, arguments: &str) -> Value {
    let name = name.map(str::to_owned);
    let call = ToolCallDelta { index, name, arguments: arguments.to_owned(), ..ToolCallDelta::default() };
    json!({"tool_calls": [call]})
}

#[test]
fn only_what_may_be_a_match_is_held() {
    let mut stream = emails().stream();
    assert_eq!(push(&mut stream, "hello "), "hello ");
    assert_eq!(push(&mut stream, "write to bo"), "write to ");
    assert_eq!(push(&mut stream, "b@example.c"), "");
    assert_eq!(push(&mut stream, "om now"), "[EMAIL] ");
    assert_eq!(push(&mut stream, ", ok"), "now, ");
    assert_eq!(text_of(&stream.finish().0), "ok");
}

#[test]
fn of_prose_at_most_the_last_word_is_held() {
    let all = ["url", "email", "api_key", "iban", "credit_card", "ip_address", "ssn", "phone"];
    let masks: Vec<_> = all.iter().map(|kind| json!({"kind": kind})).collect();
    let mut stream = guard(json!({"mask": masks, "deny": [{"name": "s", "pattern": "(?i)secret plan"}]})).stream();
    let prose =
        "The quick brown fox jumps over the lazy dog; then, at 12:30, it sleeps. Why? Nobody can say! ".repeat(4);
    let (mut read, mut out) = (String::new(), String::new());
    for char in prose.chars() {
        read.push(char);
        out.push_str(&push(&mut stream, &char.to_string()));
        let word = read.len() - read.trim_end_matches(|char: char| char.is_alphanumeric() || ".:".contains(char)).len();
        // A space may be inside of what is denied.
        let denied = read.ends_with("s ") || read.ends_with("S ");
        assert!(read.len() - out.len() <= word + usize::from(denied), "{read:?} {out:?}");
    }
    assert!(prose.starts_with(&out));
}

#[test]
fn a_pattern_of_fixed_length_holds_no_more_than_itself() {
    let mut stream = deny("[0-9]{4}x").stream();
    assert_eq!(push(&mut stream, "1234567890"), "123456");
}

#[test]
fn a_match_that_can_not_grow_is_masked_at_once() {
    let mut stream = guard(json!({"mask": [{"name": "n", "pattern": "falcon"}]})).stream();
    assert_eq!(push(&mut stream, "project falc"), "project ");
    assert_eq!(push(&mut stream, "on"), "[N]");
}

#[test]
fn a_denied_text_is_caught_before_anything_of_it_goes_out() {
    let pieces: Vec<String> = "it is project falcon!".chars().map(String::from).collect();
    let pieces: Vec<_> = pieces.iter().map(String::as_str).collect();
    let mut stream = deny("project falcon").stream();
    let mut out = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        let mut chunk = text_chunk(piece);
        let verdict = stream.push(&mut chunk);
        out.push_str(&text_of(&chunk));
        if verdict != Verdict::Pass && verdict != Verdict::Replace {
            assert_eq!(verdict, Verdict::End { finish: FinishReason::ContentFilter, rule: "rule".to_owned() });
            assert_eq!(chunk.choices[0].finish, Some(FinishReason::ContentFilter));
            assert_eq!((at, out.as_str()), (19, "it is "));
            return;
        }
    }
    panic!("{out}");
}

#[test]
fn a_denied_text_is_found_however_long_it_grew() {
    let text = format!("BEGIN{}END", "x".repeat(10_000));
    let (out, rule) = answer(&deny("BEGIN.*END"), &[&text, " more"]);
    assert_eq!((out.len(), rule.as_deref()), (text.len() - 1 - 4096, Some("rule")));
}

#[test]
fn a_match_without_end_is_held_no_longer_than_the_longest() {
    let mut stream = guard(json!({"mask": [{"name": "n", "pattern": "(?s)BEGIN.*END"}]})).stream();
    assert_eq!(push(&mut stream, &format!("BEGIN{}", "x".repeat(4090))), "");
    assert_eq!(push(&mut stream, "xxx").len(), 4098);
    assert_eq!(push(&mut stream, " BEGIN a END\n"), " ");
    assert_eq!(text_of(&stream.finish().0), "[N]\n");
}

#[test]
fn a_pattern_that_ruins_backtracking_engines_takes_linear_time() {
    let text = "x".repeat(100_000);
    let rules = |pattern: &str| vec![json!({"name": "n", "pattern": pattern})];
    let guard = guard(json!({"mask": rules("(x+x+)+y"), "deny": rules("(x|x)*z")}));
    assert_eq!(answer(&guard, &[&text]), (text.clone(), None));
    assert_eq!(masked(&guard, &text), text);
}

#[test]
fn a_rule_that_was_made_to_be_slow_refuses_what_it_is_slow_for() {
    let text = "a".repeat(100_000);
    for pattern in ["[a-z]{1,2000}X", "a(.*z)?"] {
        let guard = guard(json!({"mask": [{"name": "n", "pattern": pattern}]}));
        assert_eq!(answer(&guard, &["fine"]).1, None);
        assert_eq!(answer(&guard, &[&text]), (String::new(), Some("too_complex".to_owned())));
        let refused = guard.check_prompt(&mut Prompt::new(vec![Message::text(Role::User, text.as_str())]));
        assert!(pattern.contains('X') || matches!(refused, Err(Error::Blocked { rule }) if rule == "too_complex"));
    }
}

#[test]
fn after_the_end_nothing_goes_out() {
    let mut stream = deny("b").stream();
    let mut chunk = text_chunk("ab");
    let end = stream.push(&mut chunk);
    assert_eq!(text_of(&chunk), "a");
    let mut chunk = text_chunk("more");
    assert_eq!((stream.push(&mut chunk), chunk), (end, Chunk::default()));
    assert_eq!(stream.finish(), (Chunk::default(), Verdict::Pass));
}

#[test]
fn what_ends_one_choice_ends_the_others() {
    let mut stream = deny("b").stream();
    let mut chunk = Chunk::default();
    for choice in 0..3 {
        let finish = (choice == 1).then_some(FinishReason::Stop);
        chunk.choices.push(Delta { choice, text: Some("a".into()), finish, ..Delta::default() });
    }
    stream.push(&mut chunk);
    let mut chunk = text_chunk("b");
    assert!(matches!(stream.push(&mut chunk), Verdict::End { .. }));
    let ended: Vec<_> = chunk.choices.iter().map(|delta| (delta.choice, delta.finish.clone())).collect();
    assert_eq!(ended, [(0, Some(FinishReason::ContentFilter)), (2, Some(FinishReason::ContentFilter))]);
}

#[test]
fn choices_and_texts_do_not_mix() {
    let mut stream = deny("ab").stream();
    let mut chunk = Chunk { choices: vec![], ..text_chunk("") };
    for (choice, text) in [(0, "a"), (1, "b")] {
        chunk.choices.push(Delta { choice, text: Some(text.into()), ..Delta::default() });
    }
    assert_eq!(stream.push(&mut chunk), Verdict::Replace);
    assert_eq!(text_of(&chunk), "b");
    assert_eq!(pass(&mut stream, call(0, Some("f"), "b"))["text"], "a");
}

#[test]
fn held_text_goes_out_with_the_finish_reason() {
    let mut stream = emails().stream();
    assert_eq!(pass(&mut stream, json!({"text": "mail bob@example.com"}))["text"], "mail ");
    let last = pass(&mut stream, json!({"finish": "stop"}));
    assert_eq!((&last["text"], &last["finish"]), (&json!("[EMAIL]"), &json!("stop")));
    assert_eq!(stream.finish(), (Chunk::default(), Verdict::Pass));
}

#[test]
fn a_text_may_be_denied_by_its_end() {
    assert_eq!(answer(&deny("bye$"), &["good", "bye"]), ("good".to_owned(), Some("rule".to_owned())));
    assert_eq!(answer(&deny("bye$"), &["good", "bye", "."]), ("goodbye.".to_owned(), None));
}

#[test]
fn held_text_goes_out_before_the_tool_call_behind_it() {
    let mut stream = emails().stream();
    assert_eq!(pass(&mut stream, json!({"text": "ask bob"}))["text"], "ask ");
    let called = pass(&mut stream, call(0, Some("mail"), "{\"to\":\"bob@exam"));
    assert_eq!(called["text"], "bob");
    assert_eq!(called["tool_calls"][0]["arguments"], "{\"to\":\"");
    let next = pass(&mut stream, call(1, Some("mail"), "{}"));
    assert_eq!(next["tool_calls"][0], json!({"index": 0, "arguments": "bob@exam"}));
    assert_eq!(next["tool_calls"][1], json!({"index": 1, "name": "mail", "arguments": "{}"}));
}

#[test]
fn a_denied_text_is_found_though_the_model_turned_away_in_between() {
    let mut stream = deny("secret").stream();
    assert_eq!(pass(&mut stream, json!({"text": "sec"})), Value::Null);
    assert_eq!(pass(&mut stream, call(0, Some("f"), "{}"))["text"], "sec");
    let mut chunk = text_chunk("ret");
    assert!(matches!(stream.push(&mut chunk), Verdict::End { .. }));
    assert_eq!(text_of(&chunk), "");
}

#[test]
fn arguments_of_a_call_stay_json() {
    let mut stream = guard(json!({"mask": [{"kind": "credit_card"}, {"kind": "email"}]})).stream();
    let arguments = r#"{"card": 4111111111111111, "to": "bob@example.com \"x", "n": [4111111111111111]}"#;
    let mut chunk = delta(call(0, Some("f"), arguments));
    chunk.choices[0].finish = Some(FinishReason::ToolCalls);
    stream.push(&mut chunk);
    let arguments: Value = serde_json::from_str(&chunk.choices[0].tool_calls[0].arguments).unwrap();
    assert_eq!(arguments, json!({"card": "[CREDIT_CARD]", "to": "[EMAIL] \"x", "n": ["[CREDIT_CARD]"]}));
}

#[test]
fn reasoning_is_masked_and_loses_its_signature() {
    let mut stream = emails().stream();
    let signature = json!([{"type": "thinking", "index": 0, "signature": "s"}]);
    let reasoning = pass(&mut stream, json!({"message_extra": {"reasoning_content": "ask bob@example.com"}}));
    assert_eq!(reasoning["message_extra"]["reasoning_content"], "ask ");
    let signed = pass(&mut stream, json!({"message_extra": {"thinking_blocks": signature.clone()}}));
    assert_eq!(signed["message_extra"], json!({"reasoning_content": "[EMAIL]", "thinking_blocks": []}));
    let extra = json!({"thinking_blocks": signature.clone(), "reasoning_content": "fine"});
    assert_eq!(pass(&mut stream, json!({"message_extra": extra.clone()}))["message_extra"], extra);
}

#[test]
fn a_blocked_tool_is_not_called() {
    let mut stream = guard(json!({"blocked_tools": ["delete_*", "drop"]})).stream();
    assert_eq!(pass(&mut stream, call(0, Some("dropped"), "{}"))["tool_calls"][0]["name"], "dropped");
    let mut chunk = delta(call(1, Some("delete_all"), "{}"));
    let verdict = stream.push(&mut chunk);
    assert_eq!(verdict, Verdict::End { finish: FinishReason::ContentFilter, rule: "blocked_tools".to_owned() });
    assert!(chunk.choices[0].tool_calls.is_empty());
}

#[test]
fn an_answer_that_is_too_long_is_cut_between_characters() {
    let guard = guard(json!({"max_output_bytes": 6}));
    assert_eq!(answer(&guard, &["äö", "ü"]), ("äöü".to_owned(), None));
    assert_eq!(answer(&guard, &["aäö", "ü"]), ("aäö".to_owned(), Some("max_output_bytes".to_owned())));
    let mut stream = guard.stream();
    let mut chunk = text_chunk("a longer one");
    assert!(matches!(stream.push(&mut chunk), Verdict::End { finish: FinishReason::Length, .. }));
    assert_eq!((text_of(&chunk).as_str(), &chunk.choices[0].finish), ("a long", &Some(FinishReason::Length)));
}

#[test]
fn what_would_repeat_the_answer_is_dropped() {
    let mut stream = emails().stream();
    let native = Native {
        format: WireFormat::Messages,
        fields: [("x".to_owned(), json!("bob@example.com"))].into_iter().collect(),
    };
    let mut chunk = delta(json!({"text": "hi ", "choice_extra": {"logprobs": {"content": []}, "stop_sequence": "s"}}));
    chunk.native = Some(native.clone());
    assert_eq!(stream.push(&mut chunk), Verdict::Replace);
    assert_eq!(chunk, delta(json!({"text": "hi ", "choice_extra": {"stop_sequence": "s"}})));
    let mut reported = Reported { native: Some(native), ..Reported::default() };
    stream.report(&mut reported);
    assert_eq!(reported.native, None);
}

#[test]
fn a_first_piece_without_text_passes_as_it_is() {
    let mut stream = emails().stream();
    let mut chunk = text_chunk("");
    assert_eq!(stream.push(&mut chunk), Verdict::Pass);
    assert_eq!(chunk, text_chunk(""));
}

#[test]
fn rules_on_requests_leave_answers_alone() {
    let stream = guard(json!({"mask": [{"kind": "email", "on": "input"}], "max_messages": 3, "allow": ["a"]})).stream();
    assert!(stream.is_empty());
}
