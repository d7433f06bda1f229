//! What the stand-in says and counts.

use super::*;
use std::time::Duration;

fn ask(prompt: &Prompt, max_output: u64, stream: bool) -> Vec<Event> {
    let (max_output, time_left) = (Tokens(max_output), Duration::from_secs(1));
    answer(&Call { model: "lmo/echo", prompt, max_output, stream, time_left })
}

fn user(text: &str) -> Prompt {
    Prompt::new(vec![Message::text(Role::User, text)])
}

/// Text, reason and (input, output) words of the first choice.
fn heard(events: &[Event]) -> (String, Option<FinishReason>, (u64, u64)) {
    let mut whole = (String::new(), None, (0, 0));
    for event in events {
        match event {
            Event::Chunk(chunk) => {
                whole.0 += chunk.choices[0].text.as_deref().unwrap_or_default();
                whole.1 = chunk.choices[0].finish.clone();
            }
            Event::Usage(reported) => {
                whole.2 = (reported.usage.input_tokens.0, reported.usage.output_tokens.0);
            }
        }
    }
    whole
}

#[test]
fn it_repeats_the_last_user() {
    for stream in [true, false] {
        let expected = ("lmo/echo heard: good  day".to_owned(), Some(FinishReason::Stop), (2, 4));
        assert_eq!(heard(&ask(&user("good  day"), 9, stream)), expected);
    }
}

#[test]
fn a_stream_has_a_chunk_for_each_word() {
    assert_eq!(ask(&user("a b c"), 9, true).len(), 5 + 2);
}

#[test]
fn it_never_says_more_words_than_the_limit() {
    assert_eq!(
        heard(&ask(&user("a b"), 3, true)),
        ("lmo/echo heard: a ".to_owned(), Some(FinishReason::Length), (2, 3))
    );
    assert_eq!(heard(&ask(&user("a b"), 0, false)), (String::new(), Some(FinishReason::Length), (2, 0)));
}

#[test]
fn silence_makes_it_say_what_it_is() {
    assert_eq!(heard(&ask(&user(" "), 99, true)), (SILENCE.to_owned(), Some(FinishReason::Stop), (1, 18)));
}

#[test]
fn a_stop_text_ends_it() {
    let prompt = Prompt { stop: vec!["END".to_owned(), String::new()], ..user("a END b") };
    assert_eq!(heard(&ask(&prompt, 9, false)).0, "lmo/echo heard: a ");
}

#[test]
fn each_choice_is_counted() {
    let prompt = Prompt { choices: 2, ..user("a") };
    assert_eq!(heard(&ask(&prompt, 9, true)).2, (1, 6));
}

#[test]
fn it_calls_the_tool_that_it_is_told_to() {
    let tools = vec![json!({"type": "function", "function": {"name": "add"}})];
    let mut prompt = Prompt { tools, ..user(r#"call add {"a": 1}"#) };
    let Event::Chunk(first) = &ask(&prompt, 9, false)[0] else { panic!("no chunk") };
    let call = &first.choices[0].tool_calls[0];
    assert_eq!((call.name.as_deref(), call.arguments.as_str()), (Some("add"), r#"{"a": 1}"#));
    assert_eq!(heard(&ask(&prompt, 9, true)).1, Some(FinishReason::ToolCalls));

    prompt.messages.push(Message::text(Role::Tool, "2"));
    assert_eq!(heard(&ask(&prompt, 9, false)).0, "lmo/echo heard: 2");
}

#[test]
fn it_does_not_call_what_is_not_offered() {
    assert_eq!(heard(&ask(&user("call add {}"), 9, false)).0, "lmo/echo heard: call add {}");
}
