//! What holds in every format alike: the same directives mean the same answers, tokens and faults.

use std::time::{Duration, Instant};

use super::speaking::{ask, ask_at, limited, path, post, request, send};
use super::{client, eventually, standin};
use crate::standin::format::Format;
use crate::standin::{Standin, StandinOptions, text, thoughts, words};

/// The tests of every format, each with the word for each finish reason.
macro_rules! formats {
    ($($name:ident: $format:expr, $stop:literal, $length:literal, $tools:literal, $filter:literal;)*) => {
        $(mod $name {
            use super::Format;

            #[tokio::test]
            async fn a_stream_and_a_whole_answer_say_the_same() {
                super::a_stream_and_a_whole_answer_say_the_same($format, $stop).await;
            }

            #[tokio::test]
            async fn an_answer_stops_at_the_limit() {
                super::an_answer_stops_at_the_limit($format, $length).await;
            }

            #[tokio::test]
            async fn tools_are_called_with_their_arguments() {
                super::tools_are_called_with_their_arguments($format, $tools).await;
            }

            #[tokio::test]
            async fn a_filtered_answer_says_so() {
                super::a_filtered_answer_says_so($format, $filter).await;
            }

            #[tokio::test]
            async fn what_is_said_is_exact() {
                super::what_is_said_is_exact($format).await;
            }

            #[tokio::test]
            async fn reasoning_and_cached_tokens_are_reported() {
                super::reasoning_and_cached_tokens_are_reported($format).await;
            }

            #[tokio::test]
            async fn no_usage_is_sent_if_told() {
                super::no_usage_is_sent_if_told($format).await;
            }

            #[tokio::test]
            async fn unknown_fields_change_nothing_else() {
                super::unknown_fields_change_nothing_else($format).await;
            }

            #[tokio::test]
            async fn a_dripped_stream_is_the_same_stream() {
                super::a_dripped_stream_is_the_same_stream($format).await;
            }

            #[tokio::test]
            async fn a_cut_stream_has_no_end() {
                super::a_cut_stream_has_no_end($format).await;
            }

            #[tokio::test]
            async fn a_cut_body_is_shorter_than_its_length() {
                super::a_cut_body_is_shorter_than_its_length($format).await;
            }

            #[tokio::test]
            async fn a_malformed_event_comes_between_chunks() {
                super::a_malformed_event_comes_between_chunks($format).await;
            }

            #[tokio::test]
            async fn a_corrupt_event_comes_between_chunks() {
                super::a_corrupt_event_comes_between_chunks($format).await;
            }

            #[tokio::test]
            async fn an_error_ends_the_stream() {
                super::an_error_ends_the_stream($format).await;
            }

            #[tokio::test]
            async fn a_failure_comes_as_often_as_told() {
                super::a_failure_comes_as_often_as_told($format).await;
            }

            #[tokio::test]
            async fn a_client_that_leaves_is_noticed() {
                super::a_client_that_leaves_is_noticed($format).await;
            }

            #[tokio::test]
            async fn chunks_are_delayed() {
                super::chunks_are_delayed($format).await;
            }

            #[tokio::test]
            async fn a_missing_key_is_refused_if_keys_are_required() {
                super::a_missing_key_is_refused_if_keys_are_required($format).await;
            }

            #[tokio::test]
            async fn an_empty_or_mistyped_body_is_refused() {
                super::an_empty_or_mistyped_body_is_refused($format).await;
            }

            #[tokio::test]
            async fn a_request_is_remembered_with_its_path() {
                super::a_request_is_remembered_with_its_path($format).await;
            }
        })*
    };
}

formats! {
    chat: Format::Chat, "stop", "length", "tool_calls", "content_filter";
    messages: Format::Messages, "end_turn", "max_tokens", "tool_use", "refusal";
    responses: Format::Responses, "completed", "max_output_tokens", "completed", "content_filter";
    gemini: Format::Gemini, "STOP", "MAX_TOKENS", "STOP", "SAFETY";
    converse: Format::Converse, "end_turn", "max_tokens", "tool_use", "content_filtered";
}

async fn a_stream_and_a_whole_answer_say_the_same(format: Format, stop: &str) {
    let prompt = "Name a colour. [[tokens=5]]";
    let (stream, streamed) = ask(format, prompt, true).await;
    let (whole, heard) = ask(format, prompt, false).await;
    assert_eq!((streamed.words, heard.words), (words(5), vec![text(5)]));
    assert_eq!((streamed.finish.as_deref(), heard.finish.as_deref()), (Some(stop), Some(stop)));
    assert_eq!((streamed.usage, heard.usage), (Some([7, 0, 0, 5]), Some([7, 0, 0, 5])));
    assert_eq!((stream.is_whole, streamed.ended, streamed.broken, streamed.error), (true, true, 0, None));
    assert_eq!(stream.headers["content-type"], format.stream_type());
    assert!(whole.headers["content-type"].to_str().unwrap().starts_with("application/json"));
}

async fn an_answer_stops_at_the_limit(format: Format, length: &str) {
    let body = limited(format, request(format, "[[tokens=99]]", true), 20);
    let heard = post(&standin(), path(format, true), &body).await.heard(format, true);
    assert_eq!((heard.words, heard.finish.as_deref()), (words(20), Some(length)));
    assert_eq!(heard.usage, Some([4, 0, 0, 20]));
}

async fn tools_are_called_with_their_arguments(format: Format, tools: &str) {
    let prompt = r#"[[tool=a args={"city":"Paris"}]] [[tool=b]] [[tokens=2]]"#;
    let calls = [("a".to_owned(), r#"{"city":"Paris"}"#.to_owned()), ("b".to_owned(), "{}".to_owned())];
    for streams in [true, false] {
        let (_, heard) = ask(format, prompt, streams).await;
        assert_eq!((heard.words.concat(), heard.calls.as_slice()), (text(2), calls.as_slice()));
        assert_eq!((heard.finish.as_deref(), heard.usage), (Some(tools), Some([7, 0, 0, 9])));
    }
}

async fn a_filtered_answer_says_so(format: Format, filter: &str) {
    let (_, heard) = ask(format, "[[finish=content_filter]]", true).await;
    assert_eq!(heard.finish.as_deref(), Some(filter));
}

async fn what_is_said_is_exact(format: Format) {
    for streams in [true, false] {
        let (_, heard) = ask(format, "[[say= \"é\"  日本\n🙂 [x] ]] and more", streams).await;
        assert_eq!(heard.words.concat(), " \"é\"  日本\n🙂 [x] ");
    }
}

async fn reasoning_and_cached_tokens_are_reported(format: Format) {
    let prompt = "one two three [[tokens=2]] [[reason=3]] [[cached=4]] [[cache_write=3]] [[cache_write_1h=2]]";
    let written = if matches!(format, Format::Chat | Format::Gemini) { 0 } else { 3 };
    let shown = if format == Format::Chat { String::new() } else { thoughts(3) };
    for streams in [true, false] {
        let (_, heard) = ask(format, prompt, streams).await;
        assert_eq!((heard.usage, heard.thoughts.as_str()), (Some([11, 4, written, 5]), shown.as_str()));
        assert_eq!(heard.words.concat(), text(2));
    }
}

async fn no_usage_is_sent_if_told(format: Format) {
    for streams in [true, false] {
        let (came, heard) = ask(format, "[[no_usage]]", streams).await;
        assert_eq!(heard.usage, None);
        let body = String::from_utf8_lossy(&came.body).into_owned();
        assert!(!body.contains("usage\":{") && !body.contains("usageMetadata"), "{body}");
    }
}

async fn unknown_fields_change_nothing_else(format: Format) {
    let prompt = r#"[[tokens=2]] [[tool=a args={"b":{}}]]"#;
    for streams in [true, false] {
        let (_, plain) = ask(format, prompt, streams).await;
        let (came, heard) = ask(format, &format!("[[unknown]]{prompt}"), streams).await;
        assert_eq!(heard, plain);
        let body = String::from_utf8_lossy(&came.body).into_owned();
        assert!(body.contains("later"), "{body}");
    }
}

async fn a_dripped_stream_is_the_same_stream(format: Format) {
    let (plain, _) = ask(format, "[[tokens=12]]", true).await;
    let (dripped, heard) = ask(format, "[[tokens=12]][[drip]]", true).await;
    assert_eq!((heard.words, dripped.body.len()), (words(12), plain.body.len()));
}

async fn a_cut_stream_has_no_end(format: Format) {
    let standin = standin();
    let (came, heard) = ask_at(&standin, format, "[[cut_after=3]]", true).await;
    assert_eq!((heard.words, heard.ended, came.is_whole), (words(3), false, false));
    assert_eq!(eventually(&standin, |stats| stats.in_flight == 0).await.broken, 1);
}

async fn a_cut_body_is_shorter_than_its_length(format: Format) {
    let response = send(&standin(), path(format, false), &request(format, "[[cut]]", false)).await;
    assert!(response.content_length().is_some());
    assert!(response.bytes().await.is_err());
}

async fn a_malformed_event_comes_between_chunks(format: Format) {
    let (came, heard) = ask(format, "[[tokens=4]] [[malformed_after=2]]", true).await;
    assert_eq!((heard.words, heard.broken, heard.ended, came.is_whole), (words(4), 1, true, true));
    let whole = post(&standin(), path(format, false), &request(format, "[[malformed_after=2]]", false)).await;
    assert!(whole.is_whole && serde_json::from_slice::<serde_json::Value>(&whole.body).is_err());
}

async fn a_corrupt_event_comes_between_chunks(format: Format) {
    let (came, heard) = ask(format, "[[tokens=4]] [[corrupt_after=2]]", true).await;
    // Nothing can be read after a wrong checksum.
    let after = if format == Format::Converse { 2 } else { 4 };
    assert_eq!((heard.words, heard.broken, came.is_whole), (words(after), 1, true));
}

async fn an_error_ends_the_stream(format: Format) {
    let standin = standin();
    let (came, heard) = ask_at(&standin, format, "[[error_in_stream=2]]", true).await;
    assert_eq!((heard.words, heard.ended, came.is_whole), (words(2), false, true));
    assert!(heard.error.is_some());
    assert_eq!(eventually(&standin, |stats| stats.in_flight == 0).await.broken, 1);
    if format != Format::Chat {
        let (_, heard) = ask(format, "[[error_in_stream code=UNAVAILABLE]]", true).await;
        assert_eq!((heard.error.as_deref(), heard.words), (Some("UNAVAILABLE"), words(8)));
    }
}

async fn a_failure_comes_as_often_as_told(format: Format) {
    let standin = standin();
    let body = request(format, "[[fail=429 retry_after=7 times=2 id=abc]]", true);
    for _ in 0..2 {
        let came = post(&standin, path(format, true), &body).await;
        assert_eq!(came.status, 429);
        match format {
            Format::Gemini => {
                assert_eq!(came.json()["error"]["details"][0]["retryDelay"], "7s");
                assert!(!came.headers.contains_key("retry-after"));
            }
            Format::Chat | Format::Messages | Format::Responses | Format::Converse => {
                assert_eq!(came.headers["retry-after"], "7");
            }
        }
    }
    assert_eq!(post(&standin, path(format, true), &body).await.status, 200);
    assert_eq!(eventually(&standin, |stats| stats.in_flight == 0).await.failed, 2);
}

async fn a_client_that_leaves_is_noticed(format: Format) {
    let standin = standin();
    let mut response = send(&standin, path(format, true), &request(format, "[[stall_after=3]]", true)).await;
    while !String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()).contains(&words(3)[2]) {}
    drop(response);
    let stats = eventually(&standin, |stats| stats.cancelled == 1).await;
    assert_eq!((stats.in_flight, stats.finished), (0, 0));
}

async fn chunks_are_delayed(format: Format) {
    let since = Instant::now();
    let (_, heard) = ask(format, "[[delay=20ms]] [[chunk_delay=10ms]] [[flush]] [[tokens=6]]", true).await;
    assert!(since.elapsed() >= Duration::from_millis(80), "{:?}", since.elapsed());
    assert_eq!((heard.words, heard.ended), (words(6), true));
}

async fn a_missing_key_is_refused_if_keys_are_required(format: Format) {
    let standin = Standin::start(StandinOptions { require_key: true, ..StandinOptions::default() }).unwrap();
    let body = request(format, "[[tokens=1]]", false);
    let came = post(&standin, path(format, false), &body).await;
    let status = if matches!(format, Format::Gemini | Format::Converse) { 403 } else { 401 };
    assert_eq!(came.status, status);
    let request = client().post(format!("{}{}", standin.origin(), path(format, false)));
    let request = request.header(format.vendor().key_header(), "secret").header("anthropic-version", "2023-06-01");
    assert_eq!(request.body(body.to_string()).send().await.unwrap().status(), 200);
}

async fn an_empty_or_mistyped_body_is_refused(format: Format) {
    let standin = standin();
    let list = match format {
        Format::Chat | Format::Messages | Format::Converse => "messages",
        Format::Responses => "input",
        Format::Gemini => "contents",
    };
    for wrong in [serde_json::json!([]), serde_json::json!(7), serde_json::Value::Null, serde_json::json!([7])] {
        let mut body = request(format, "hi", true);
        body[list] = wrong.clone();
        assert_eq!(post(&standin, path(format, true), &body).await.status, 400, "{wrong}");
    }
    let request = client().post(format!("{}{}", standin.origin(), path(format, true)));
    let request = request.header("anthropic-version", "2023-06-01").body("{\"contents\":");
    assert_eq!(request.send().await.unwrap().status(), 400);
    assert_eq!(eventually(&standin, |stats| stats.in_flight == 0).await.failed, 5);
}

async fn a_request_is_remembered_with_its_path(format: Format) {
    let standin = standin();
    let (_, _) = ask_at(&standin, format, "[[tokens=3]]", true).await;
    let stats = eventually(&standin, |stats| stats.finished == 1).await;
    let seen = &stats.recent[0];
    assert_eq!(
        (seen.uri.to_string().as_str(), &seen.body),
        (path(format, true), &request(format, "[[tokens=3]]", true))
    );
    assert_eq!(seen.path(), path(format, true).split('?').next().unwrap());
    assert_eq!((stats.requests, stats.prompt_tokens, stats.completion_tokens), (1, 4, 3));
}
