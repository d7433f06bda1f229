//! Requests that can't be answered, each in both families' shapes.

use bytes::Bytes;

use crate::{
    errors::{CHAT, QUERY, assert_shape, good, param, post_text},
    support::{Response, Running, Value, json},
};

const LIMIT: usize = 6 * 1024 * 1024;

/// Sends what a good request becomes by setting a field, to both families; fails unless it is refused like that and
/// the field is named as `param`.
async fn assert_refused(field: &str, value: Value, status: u16, code: &str, named: &str) {
    let run = Running::start();
    for path in [QUERY, CHAT] {
        let mut body = good(path);
        body[field] = value.clone();
        let refused = run.lmo.post(path, &body).await;
        assert_shape(path, &refused, status, code);
        assert_eq!(param(&refused), named, "{}", refused.body);
    }
    assert_eq!(run.standin.stats().requests, 0);
}

#[tokio::test]
async fn an_empty_body_is_bad_json() {
    let run = Running::start();
    for path in [QUERY, CHAT] {
        assert_shape(path, &post_text(&run, path, "").await, 400, "bad_json");
    }
}

#[tokio::test]
async fn broken_json_is_bad_json() {
    let run = Running::start();
    for path in [QUERY, CHAT] {
        let two = format!("{0} {0}", good(path));
        for text in ["{", "{\"query\": }", &two, "\u{1}", "nul"] {
            assert_shape(path, &post_text(&run, path, text.to_owned()).await, 400, "bad_json");
        }
    }
}

#[tokio::test]
async fn json_that_is_no_object_is_refused() {
    let run = Running::start();
    for path in [QUERY, CHAT] {
        for text in ["5", "\"hi\"", "[1]", "null"] {
            assert_shape(path, &post_text(&run, path, text).await, 400, "invalid_request");
        }
    }
}

#[tokio::test]
async fn a_wrong_type_is_named_by_its_path() {
    assert_refused(
        "messages",
        json!([{"role": "user", "content": "a"}, {"role": 5}]),
        400,
        "invalid_request",
        "messages[1].role",
    )
    .await;
}

#[tokio::test]
async fn a_number_as_text_is_refused() {
    assert_refused("max_tokens", json!("20"), 400, "invalid_request", "max_tokens").await;
}

#[tokio::test]
async fn content_that_is_neither_text_nor_parts_is_refused() {
    assert_refused("messages", json!([{"role": "user", "content": 5}]), 400, "invalid_request", "messages[0].content")
        .await;
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let run = Running::start();
    let refused = post_text(&run, CHAT, "{}").await;
    assert_shape(CHAT, &refused, 400, "invalid_request");
    assert_eq!(param(&refused), "messages");
    let refused = post_text(&run, CHAT, "{\"messages\": [{}]}").await;
    assert_eq!(param(&refused), "messages[0].role");
}

#[tokio::test]
async fn a_field_that_nobody_knows_is_refused_by_our_own_endpoints() {
    let run = Running::start();
    for path in [QUERY, "/api/mcp/stream"] {
        let refused = run.lmo.post(path, &json!({"query": "hi", "querry": "hi"})).await;
        assert_shape(path, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), "querry");
    }
}

#[tokio::test]
async fn a_body_over_six_mebibytes_is_refused() {
    let run = Running::start();
    for path in [QUERY, CHAT] {
        let refused = post_text(&run, path, " ".repeat(LIMIT + 1)).await;
        assert_shape(path, &refused, 413, "body_too_large");
    }
}

#[tokio::test]
async fn a_body_over_six_mebibytes_is_refused_though_it_does_not_say_its_length() {
    let run = Running::start();
    for path in [QUERY, CHAT] {
        let pieces = std::iter::repeat_n(Bytes::from(vec![b' '; 65_536]), LIMIT / 65_536).chain([Bytes::from(" ")]);
        let pieces = futures_util::stream::iter(pieces.map(Ok::<_, std::io::Error>));
        let refused = post_text(&run, path, reqwest::Body::wrap_stream(pieces)).await;
        assert_shape(path, &refused, 413, "body_too_large");
    }
}

#[tokio::test]
async fn a_body_of_six_mebibytes_is_read() {
    let run = Running::start();
    let text = good(QUERY).to_string();
    let padded = format!("{text}{}", " ".repeat(LIMIT - text.len()));
    assert_eq!(post_text(&run, QUERY, padded).await.status, 200);
}

#[tokio::test]
async fn another_content_type_is_refused() {
    let run = Running::start();
    for path in [QUERY, CHAT] {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let request = run.lmo.client.post(format!("{}{path}", run.lmo.base)).bearer_auth(&run.lmo.key);
            let request = request.header("content-type", kind).body(good(path).to_string());
            let refused = Response::read(request.send().await.unwrap()).await;
            assert_shape(path, &refused, 415, "unsupported_media_type");
        }
    }
}

#[tokio::test]
async fn a_model_that_does_not_exist_is_404() {
    assert_refused("model", json!("gpt-99"), 404, "model_not_found", "model").await;
}

#[tokio::test]
async fn a_prompt_that_can_not_fit_is_refused() {
    let run = Running::start();
    for path in [QUERY, CHAT] {
        let mut body = good(path);
        body["model"] = json!("standin/tiny");
        body["messages"] = json!([{"role": "user", "content": "word ".repeat(200)}]);
        let refused = run.lmo.post(path, &body).await;
        assert_shape(path, &refused, 400, "context_length_exceeded");
        assert_eq!(param(&refused), "messages");
    }
}

#[tokio::test]
async fn tools_on_a_model_without_them_are_refused() {
    let run = Running::start();
    for path in [QUERY, CHAT] {
        let mut body = good(path);
        body["model"] = json!("standin/plain");
        body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
        assert_shape(path, &run.lmo.post(path, &body).await, 400, "unsupported");
    }
}

#[tokio::test]
async fn more_alternatives_than_sixteen_are_refused() {
    let run = Running::start();
    for n in [json!(17), json!(0), json!(-1)] {
        let mut body = good(CHAT);
        body["n"] = n;
        let refused = run.lmo.post(CHAT, &body).await;
        assert_shape(CHAT, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), "n");
    }
}

#[tokio::test]
async fn a_temperature_over_two_is_refused() {
    assert_refused("temperature", json!(3), 400, "invalid_request", "temperature").await;
}

#[tokio::test]
async fn no_tokens_at_all_are_refused() {
    assert_refused("max_tokens", json!(0), 400, "invalid_request", "max_tokens").await;
}

#[tokio::test]
async fn no_messages_at_all_are_refused() {
    let run = Running::start();
    let refused = run.lmo.post(CHAT, &json!({"messages": []})).await;
    assert_shape(CHAT, &refused, 400, "invalid_request");
    assert_eq!(param(&refused), "messages");
    for body in [json!({}), json!({"messages": []}), json!({"query": " "})] {
        let refused = run.lmo.post(QUERY, &body).await;
        assert_shape(QUERY, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), "query");
    }
}

#[tokio::test]
async fn a_bad_query_string_is_named_by_its_parameter() {
    let run = Running::start();
    for (question, named) in [
        ("query=hi&temperature=warm", "temperature"),
        ("query=hi&colour=red", "colour"),
        ("model=fast", "query"),
        ("query=", "query"),
        ("query=hi&max_tokens=0", "max_tokens"),
    ] {
        let refused = run.lmo.get(&format!("/api/mcp/stream?{question}")).await;
        assert_shape("/api", &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{}", refused.body);
    }
}
