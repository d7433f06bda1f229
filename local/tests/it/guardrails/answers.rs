//! The way out.

use std::time::{Duration, Instant};

use super::{assert_hidden, guarded, time_to, ways};
use crate::{
    matrix::{PROVIDERS, client::Client},
    support::json,
};

/// The format's word for an answer that its provider, or LMO, wouldn't give.
fn filtered(client: Client) -> &'static str {
    match client {
        Client::Query | Client::Stream | Client::Chat => "content_filter",
        Client::Messages => "refusal",
        Client::Responses => "incomplete",
    }
}

/// The format's word for an answer that grew too long.
fn too_long(client: Client) -> &'static str {
    match client {
        Client::Query | Client::Stream | Client::Chat => "length",
        Client::Messages => "max_tokens",
        Client::Responses => "incomplete",
    }
}

#[tokio::test]
async fn what_is_masked_is_nowhere_in_an_answer_however_it_is_cut() {
    let mask = json!([{"kind": "email", "on": "output"}, {"kind": "credit_card", "on": "output"}]);
    let matrix = guarded(json!({"mask": mask})).await;
    // A card is four pieces of a stream.
    let say = "[[say=Write to ada@example.org or pay with 4111 1111 1111 1111 today.]]";
    for (model, _) in PROVIDERS {
        for (client, stream) in ways() {
            for writes in ["", " [[flush]]", " [[drip]]"] {
                let about = format!("{client:?} over {model}, stream {stream},{writes}");
                let answer = matrix.ask(client, &client.body(model, &format!("{say}{writes}"), stream)).await;
                assert_eq!(client.text(&answer), "Write to [EMAIL] or pay with [CREDIT_CARD] today.", "{about}");
                assert_eq!(client.finish(&answer), client.done(), "{about}: {}", answer.body);
                assert_hidden(&answer, &["example.org", "4111 ", "1111 "], &about);
            }
        }
    }
    matrix.end();
}

#[tokio::test]
async fn what_a_model_thinks_is_masked() {
    let mask = json!([{"name": "doubt", "pattern": "perhaps[0-9]+", "on": "output"}]);
    let matrix = guarded(json!({"mask": mask})).await;
    for (model, _) in PROVIDERS {
        for (client, stream) in ways() {
            let about = format!("{client:?} over {model}, stream {stream}");
            let mut body = client.body(model, "[[reason=5]] [[tokens=3]]", stream);
            if client == Client::Messages {
                body["max_tokens"] = 2000.into();
                body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
            }
            let answer = matrix.ask(client, &body).await;
            if answer.status == 400 {
                // A provider that can't be asked to think.
                assert!(client == Client::Messages && answer.body.contains("thinking"), "{about}: {}", answer.body);
                continue;
            }
            assert_eq!(client.text(&answer), lmo_bench::standin::text(3), "{about}: {}", answer.body);
            assert_hidden(&answer, &["perhaps"], &about);
            if model == "anthropic" && matches!(client, Client::Chat | Client::Messages) {
                assert!(answer.body.contains("[DOUBT]"), "{about}: {}", answer.body);
            }
        }
    }
    matrix.end();
}

#[tokio::test]
async fn arguments_of_a_call_are_masked_and_stay_json() {
    let mask = json!([{"kind": "email", "on": "output"}, {"kind": "credit_card", "on": "output"}]);
    let matrix = guarded(json!({"mask": mask})).await;
    let call = r#"[[tool=send args={"to":"ada@example.org","card":4111111111111111}]]"#;
    let expected = [("send".to_owned(), json!({"to": "[EMAIL]", "card": "[CREDIT_CARD]"}))];
    for (model, _) in PROVIDERS {
        for (client, stream) in ways() {
            let about = format!("{client:?} over {model}, stream {stream}");
            let mut body = client.body(model, call, stream);
            client.offer(&mut body, &["send"]);
            let answer = matrix.ask(client, &body).await;
            assert_eq!(client.calls(&answer), expected, "{about}: {}", answer.body);
            assert_eq!(client.finish(&answer), client.calls_tools(), "{about}: {}", answer.body);
            assert_hidden(&answer, &["example.org", "11111"], &about);
        }
    }
    matrix.end();
}

#[tokio::test]
async fn a_denied_answer_ends_before_it_with_the_formats_reason_and_is_billed() {
    let deny = json!([{"name": "falcon", "pattern": "project falcon", "on": "output"}]);
    let matrix = guarded(json!({"deny": deny})).await;
    let mut asked = 0;
    for (model, _) in PROVIDERS {
        for (client, stream) in ways() {
            let about = format!("{client:?} over {model}, stream {stream}");
            let body = client.body(model, "[[say=The project falcon flies tomorrow.]] [[flush]]", stream);
            let answer = matrix.ask(client, &body).await;
            asked += 1;
            assert_eq!((answer.status, client.text(&answer).trim_end()), (200, "The"), "{about}: {}", answer.body);
            assert_eq!(client.finish(&answer), filtered(client), "{about}: {}", answer.body);
            assert_hidden(&answer, &["falcon", "flies", "tomorrow", "error\":{"], &about);
            if client == Client::Responses {
                assert!(answer.body.contains(r#""incomplete_details":{"reason":"content_filter"}"#), "{about}");
            }
        }
    }
    let usage = matrix.lmo.usage_of(&matrix.lmo.key, asked).await;
    // At least the prompt and two words of each.
    let least = asked * (8 * 1_000 + 2 * 2_000);
    assert!(usage["cost_nano_usd"].as_u64().unwrap() >= least, "{usage:#}");
    assert_eq!(usage["failed"], 0, "{usage:#}");
    matrix.end();
}

#[tokio::test]
async fn a_denied_whole_answer_is_billed_as_the_provider_counted_it() {
    let matrix = guarded(json!({"deny": [{"name": "falcon", "pattern": "falcon", "on": "output"}]})).await;
    for (model, _) in PROVIDERS {
        let ask = Client::Query.body(model, "[[say=The project falcon flies tomorrow.]]", false);
        let answer = matrix.ask(Client::Query, &ask).await.json();
        assert_eq!(answer["usage"]["output_tokens"], 5, "{model}: {answer:#}");
        assert!(answer.get("estimated").is_none(), "{model}: {answer:#}");
    }
    matrix.end();
}

#[tokio::test]
async fn a_denied_stream_ends_at_once_and_its_provider_is_let_go() {
    let matrix = guarded(json!({"deny": [{"name": "falcon", "pattern": "falcon", "on": "output"}]})).await;
    let say = "[[say=The falcon and a b c d e f g h i j]] [[chunk_delay=1s]]";
    let began = Instant::now();
    matrix.ask(Client::Chat, &Client::Chat.body("openai", say, true)).await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    crate::support::eventually(Duration::from_secs(5), "letting go", || matrix.standin.stats().cancelled == 1).await;
}

#[tokio::test]
async fn plain_words_of_a_stream_are_not_held_back() {
    let kinds = ["url", "email", "api_key", "iban", "credit_card", "ip_address", "ssn", "phone"];
    let mask: Vec<_> = kinds.iter().map(|kind| json!({"kind": kind})).collect();
    let matrix = guarded(json!({"mask": mask, "deny": [{"name": "falcon", "pattern": "(?i)project falcon"}]})).await;
    for client in [Client::Stream, Client::Chat, Client::Messages, Client::Responses] {
        let body = client.body("anthropic", "[[tokens=10]] [[chunk_delay=150ms]]", true);
        let (first, middle) =
            (time_to(&matrix.lmo, client, &body, "river0").await, time_to(&matrix.lmo, client, &body, "paper4").await);
        let began = Instant::now();
        matrix.ask(client, &body).await;
        let all = began.elapsed();
        assert!(first < all / 2 && middle < all * 4 / 5, "{client:?}: {first:?}, {middle:?} of {all:?}");
    }
}

#[tokio::test]
async fn a_call_of_a_blocked_tool_ends_the_answer() {
    let matrix = guarded(json!({"blocked_tools": ["delete_*"]})).await;
    let calls = r#"[[tool=weather args={"city":"Paris"}]] [[tool=delete_all args={"really":true}]]"#;
    for (model, _) in PROVIDERS {
        for (client, stream) in ways() {
            let about = format!("{client:?} over {model}, stream {stream}");
            let mut body = client.body(model, calls, stream);
            client.offer(&mut body, &["weather"]);
            let answer = matrix.ask(client, &body).await;
            assert_eq!(client.finish(&answer), filtered(client), "{about}: {}", answer.body);
            assert_hidden(&answer, &["delete_all", "really"], &about);
        }
    }
    matrix.end();
}

#[tokio::test]
async fn an_answer_has_a_largest_size() {
    let matrix = guarded(json!({"max_output_bytes": 12})).await;
    for (model, _) in PROVIDERS {
        for (client, stream) in ways() {
            let about = format!("{client:?} over {model}, stream {stream}");
            let answer = matrix.ask(client, &client.body(model, "[[say=one two three four]]", stream)).await;
            assert_eq!(client.text(&answer), "one two thre", "{about}: {}", answer.body);
            assert_eq!(client.finish(&answer), too_long(client), "{about}: {}", answer.body);
            assert_hidden(&answer, &["four"], &about);
        }
    }
    matrix.end();
}
