//! Texts to vectors, by both endpoints, with the model that needs no provider and with a provider's.

use std::time::Duration;

use lmo_shared::llm::embed::to_base64;

use crate::{
    burst::{fresh_minute, limited_key},
    embeddings::provider::{Provider, Reply},
    errors::{CHAT, QUERY, assert_shape, param},
    support::{Lmo, Response, Running, Setup, Value, json},
};

mod provider;

const OPENAI: &str = "/v1/embeddings";
const OWN: &str = "/api/mcp/embed";

/// The tests' catalogue with models that embed: `lmo/hash-embed`, which is free, and a provider's.
fn with_embeddings(catalogue: &str, base_url: &str) -> String {
    format!(
        r#"{catalogue}
embed = "lmo/hash-embed"
[models."lmo/hash-embed"]
provider = "lmo"
context_window = 10_000_000
capabilities = ["embed"]
price = {{ input = 0 }}
overhead_tokens = 0
[providers.embedder]
kind = "openai"
base_url = "{base_url}"
[providers.aws]
kind = "bedrock"
base_url = "{base_url}"
api_key = {{ env = "BEDROCK_KEY" }}
[models.titan]
provider = "aws"
upstream = "amazon.titan-embed-text-v2:0"
context_window = 100
capabilities = ["embed"]
price = {{ input = 0.02 }}
[models."embedder/small"]
provider = "embedder"
upstream = "small"
context_window = 100
capabilities = ["embed"]
price = {{ input = 0.02 }}
overhead_tokens = 0
"#
    )
}

fn start() -> Running {
    start_with("http://127.0.0.1:9")
}

fn start_with(base_url: &str) -> Running {
    Running::with(|catalogue| with_embeddings(&catalogue, base_url), |setup| setup.env("BEDROCK_KEY", "secret"))
}

/// The numbers of the vector at `index` of an answer in `OpenAI`'s shape.
fn vector(answer: &Response, index: usize) -> Vec<f32> {
    serde_json::from_value(answer.json()["data"][index]["embedding"].clone()).unwrap()
}

#[tokio::test]
async fn an_answer_has_openais_shape() {
    let run = start();
    let answer =
        run.lmo.post(OPENAI, &json!({"model": "lmo/hash-embed", "input": "The sky is blue.", "user": "u"})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut body = answer.json();
    let numbers = vector(&answer, 0);
    assert_eq!(numbers.len(), 256);
    assert!((numbers.iter().map(|number| number * number).sum::<f32>() - 1.0).abs() < 1e-4);
    body["data"][0]["embedding"] = Value::Null;
    assert_eq!(
        body,
        json!({
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": null}],
            "model": "lmo/hash-embed",
            "usage": {"prompt_tokens": 4, "total_tokens": 4},
        })
    );
}

#[tokio::test]
async fn several_texts_have_their_vectors_in_their_order() {
    let run = start();
    let several = run.lmo.post(OPENAI, &json!({"input": ["one", "two", "one"]})).await;
    let two = run.lmo.post(OPENAI, &json!({"input": "two"})).await;
    assert_eq!(vector(&several, 0), vector(&several, 2));
    assert_eq!(vector(&several, 1), vector(&two, 0));
    assert_ne!(vector(&several, 0), vector(&several, 1));
    let indices: Vec<_> = (0..3).map(|at| several.json()["data"][at]["index"].clone()).collect();
    assert_eq!(indices, [0, 1, 2]);
}

#[tokio::test]
async fn base64_says_the_same_as_numbers() {
    let run = start();
    let numbers = run.lmo.post(OPENAI, &json!({"input": "hi", "encoding_format": "float"})).await;
    let text = run.lmo.post(OPENAI, &json!({"input": "hi", "encoding_format": "base64"})).await;
    assert_eq!(text.json()["data"][0]["embedding"], to_base64(&vector(&numbers, 0)));
}

#[tokio::test]
async fn tokens_are_taken_as_one_list_or_several() {
    let run = start();
    let one = run.lmo.post(OPENAI, &json!({"input": [9906, 1917]})).await;
    let several = run.lmo.post(OPENAI, &json!({"input": [[9906, 1917], [0]]})).await;
    assert_eq!(
        (one.json()["data"].as_array().unwrap().len(), one.json()["usage"]["prompt_tokens"].as_u64()),
        (1, Some(2))
    );
    assert_eq!(vector(&one, 0), vector(&several, 0));
    assert_eq!(several.json()["usage"]["prompt_tokens"], 3);
}

#[tokio::test]
async fn vectors_are_as_long_as_is_asked() {
    let run = start();
    for dimensions in [1, 1024, 4096] {
        let answer = run.lmo.post(OPENAI, &json!({"input": "hi", "dimensions": dimensions})).await;
        assert_eq!(vector(&answer, 0).len(), dimensions);
    }
    let refused = run.lmo.post(OPENAI, &json!({"input": "hi", "dimensions": 4097})).await;
    assert_shape(OPENAI, &refused, 400, "unsupported");
    assert_eq!(param(&refused), "dimensions");
}

#[tokio::test]
async fn our_own_endpoint_says_what_it_cost_too() {
    let run = start();
    let one = run.lmo.post(OWN, &json!({"input": "The sky is blue.", "kind": "query", "dimensions": 8})).await;
    assert_eq!(one.status, 200, "{}", one.body);
    let body = one.json();
    let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["id", "model", "embeddings", "dimensions", "usage", "cost"]);
    assert!(body["id"].as_str().unwrap().starts_with("req_"));
    assert_eq!((&body["model"], &body["dimensions"]), (&json!("lmo/hash-embed"), &json!(8)));
    assert_eq!((&body["usage"]["input_tokens"], &body["usage"]["output_tokens"]), (&json!(4), &json!(0)));
    assert_eq!(body["cost"], json!({"nano_usd": 0, "usd": "0.0"}));
    let several = run.lmo.post(OWN, &json!({"inputs": ["The sky is blue.", "hi"], "dimensions": 8})).await.json();
    assert_eq!(several["embeddings"].as_array().unwrap().len(), 2);
    assert_eq!(several["embeddings"][0], body["embeddings"][0]);
}

#[tokio::test]
async fn what_is_no_request_is_refused_by_name() {
    let run = start();
    let many = vec!["x"; 2049];
    for (path, body, named) in [
        (OPENAI, json!({}), "input"),
        (OPENAI, json!({"input": null}), "input"),
        (OPENAI, json!({"input": 5}), "input"),
        (OPENAI, json!({"input": {"text": "a"}}), "input"),
        (OPENAI, json!({"input": []}), "input"),
        (OPENAI, json!({"input": ""}), "input"),
        (OPENAI, json!({"input": ["a", ""]}), "input[1]"),
        (OPENAI, json!({"input": [[1], []]}), "input[1]"),
        (OPENAI, json!({"input": ["a", 1]}), "input"),
        (OPENAI, json!({"input": [-1]}), "input"),
        (OPENAI, json!({"input": [1.5]}), "input"),
        (OPENAI, json!({"input": many}), "input"),
        (OPENAI, json!({"input": "a", "encoding_format": "hex"}), "encoding_format"),
        (OPENAI, json!({"input": "a", "dimensions": 0}), "dimensions"),
        (OPENAI, json!({"input": "a", "dimensions": -1}), "dimensions"),
        (OPENAI, json!({"input": "a", "dimensions": "8"}), "dimensions"),
        (OPENAI, json!({"input": "a", "truncate": true}), "truncate"),
        (OWN, json!({}), "input"),
        (OWN, json!({"input": ""}), "input"),
        (OWN, json!({"inputs": []}), "inputs"),
        (OWN, json!({"inputs": ["a", ""]}), "inputs[1]"),
        (OWN, json!({"inputs": many}), "inputs"),
        (OWN, json!({"input": "a", "inputs": ["b"]}), "inputs"),
        (OWN, json!({"input": ["a"]}), "input"),
        (OWN, json!({"input": "a", "kind": "poem"}), "kind"),
        (OWN, json!({"input": "a", "encoding_format": "float"}), "encoding_format"),
    ] {
        let refused = run.lmo.post(path, &body).await;
        assert_shape(path, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{path}: {}", refused.body);
    }
}

#[tokio::test]
async fn two_thousand_and_forty_eight_texts_are_embedded() {
    let run = start();
    let answer = run.lmo.post(OPENAI, &json!({"input": vec!["word"; 2048], "dimensions": 2})).await;
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 2048);
    assert_eq!(answer.json()["usage"]["prompt_tokens"], 2048);
}

#[tokio::test]
async fn a_text_that_can_not_fit_is_refused() {
    let run = start();
    let refused = run.lmo.post(OPENAI, &json!({"model": "embedder/small", "input": ["a", "x".repeat(1000)]})).await;
    assert_shape(OPENAI, &refused, 400, "invalid_request");
    assert!(refused.body.contains("input 1 ") && refused.body.contains("100"), "{}", refused.body);
}

#[tokio::test]
async fn a_model_is_needed_where_the_catalogue_names_none() {
    let run = Running::start();
    for path in [OPENAI, OWN] {
        let refused = run.lmo.post(path, &json!({"input": "hi"})).await;
        assert_shape(path, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), "model");
    }
}

#[tokio::test]
async fn a_model_does_what_it_can_and_nothing_else() {
    let run = start();
    for path in [OPENAI, OWN] {
        run.lmo.post(path, &json!({"input": "hi", "model": "gone"})).await.assert_error(404, "model_not_found");
        run.lmo.post(path, &json!({"input": "hi", "model": "lmo/echo"})).await.assert_error(400, "unsupported");
    }
    let chat = json!({"model": "embed", "messages": [{"role": "user", "content": "hi"}]});
    run.lmo.post(CHAT, &chat).await.assert_error(400, "unsupported");
    run.lmo.post(QUERY, &json!({"model": "embed", "query": "hi"})).await.assert_error(400, "unsupported");
}

#[tokio::test]
async fn a_model_must_be_allowed() {
    let run = start();
    let config = json!({"allowed_models": ["standin/small"]});
    run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&config)).await;
    run.lmo.post(OPENAI, &json!({"input": "hi"})).await.assert_error(403, "model_not_allowed");
}

#[tokio::test]
async fn a_key_needs_the_scope() {
    let run = start();
    let body = json!({"name": "reports", "scopes": ["usage:read"]});
    let key = run.lmo.post("/api/tenant/keys", &body).await.json()["api_key"].as_str().unwrap().to_owned();
    run.lmo.send("POST", OPENAI, &key, Some(&json!({"input": "hi"}))).await.assert_error(403, "forbidden");
}

fn embedding_setup() -> Setup {
    let setup = Setup::new();
    let catalogue = "[providers.lmo]\nkind = \"echo\"\n[aliases]".to_owned();
    setup.write_models(&with_embeddings(&catalogue, "http://127.0.0.1:9"));
    setup
}

async fn embed(lmo: &Lmo, key: &str, input: &str) -> Response {
    lmo.send("POST", OPENAI, key, Some(&json!({"model": "lmo/hash-embed", "input": input}))).await
}

#[tokio::test]
async fn the_cap_holds_to_the_token() {
    let setup = embedding_setup();
    // The bytes of the text and two marks around it.
    let (_, enough) = setup.tenant(&["--monthly-tokens", "10"]);
    let (tenant, too_little) = setup.tenant(&["--monthly-tokens", "9"]);
    let lmo = setup.start();
    assert_eq!(embed(&lmo, &enough, "8 bytes.").await.status, 200);
    let refused = embed(&lmo, &too_little, "8 bytes.").await;
    assert_shape(OPENAI, &refused, 402, "quota_exhausted");
    lmo.stop();
    let books = setup.assert_books_agree();
    let spent = books.iter().find(|book| book["tenant"] == tenant.as_str()).map(|book| book["books"]["meter"].clone());
    assert_eq!(spent, Some(json!({"requests": 0, "tokens": 0, "nano_usd": 0})));
}

#[tokio::test]
async fn what_was_not_used_is_given_back() {
    let setup = embedding_setup();
    let (_, key) = setup.tenant(&["--monthly-tokens", "22"]);
    let lmo = setup.start();
    // Ten are held and two are used each time.
    for _ in 0..7 {
        assert_eq!(embed(&lmo, &key, "8 bytes.").await.status, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(embed(&lmo, &key, "8 bytes.").await.status, 402);
    assert_eq!(lmo.usage_of(&key, 7).await["input_tokens"], 14);
    lmo.stop();
    setup.assert_books_agree();
}

#[tokio::test]
async fn an_answer_says_what_is_left_of_the_minute() {
    let run = start();
    let key = limited_key(&run.lmo, &run.lmo.key, &json!({"requests_per_minute": 2})).await;
    fresh_minute().await;
    for path in [OPENAI, OWN] {
        let answer = run.lmo.send("POST", path, &key, Some(&json!({"input": "hi"}))).await;
        assert_eq!(answer.header("ratelimit-policy"), "\"requests\";q=2;w=60", "{}", answer.body);
        assert!(answer.header("ratelimit").starts_with("\"requests\";r="));
    }
    run.lmo.send("POST", OPENAI, &key, Some(&json!({"input": "hi"}))).await.assert_error(429, "rate_limited");
}

#[tokio::test]
async fn a_providers_vectors_are_charged_at_its_price() {
    let provider = Provider::start(|_| Reply::Vectors { dimensions: 3, tokens: Some(5) });
    let run = start_with(&provider.base_url);
    let answer = run.lmo.post(OWN, &json!({"model": "embedder/small", "inputs": ["one", "two"]})).await.json();
    assert_eq!(answer["embeddings"], json!([[0.5, 0.5, 0.5], [1.5, 0.5, 0.5]]));
    assert_eq!((&answer["usage"]["input_tokens"], &answer["cost"]["nano_usd"]), (&json!(5), &json!(100)));
    let sent = provider.bodies();
    assert_eq!(sent, [json!({"model": "small", "input": ["one", "two"], "encoding_format": "base64"})]);
    assert_eq!(run.lmo.usage_of(&run.lmo.key, 1).await["cost_nano_usd"], 100);
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn tokens_that_nobody_counted_are_estimated() {
    let provider = Provider::start(|_| Reply::Vectors { dimensions: 2, tokens: None });
    let run = start_with(&provider.base_url);
    let answer = run.lmo.post(OWN, &json!({"model": "embedder/small", "input": "twelve bytes"})).await.json();
    assert_eq!((&answer["usage"]["input_tokens"], &answer["estimated"]), (&json!(3), &json!(true)));
    assert_eq!(run.lmo.usage_of(&run.lmo.key, 1).await["estimated"], 1);
}

#[tokio::test]
async fn a_provider_that_fails_is_tried_again() {
    let provider = Provider::start(|request| match request {
        0 => Reply::Status(503, ""),
        _ => Reply::Vectors { dimensions: 2, tokens: Some(1) },
    });
    let run = start_with(&provider.base_url);
    let answer = run.lmo.post(OPENAI, &json!({"model": "embedder/small", "input": "hi"})).await;
    assert_eq!((answer.status, provider.bodies().len()), (200, 2));
}

#[tokio::test]
async fn one_text_at_a_time_is_several_calls_some_at_once_each_tried_again_by_itself() {
    let provider = Provider::start(|request| {
        std::thread::sleep(Duration::from_millis(30));
        if request == 5 { Reply::Status(500, "") } else { Reply::Titan }
    });
    let run = start_with(&provider.base_url);
    let inputs: Vec<_> = (1..=40).map(|length| "x".repeat(length)).collect();
    let answer = run.lmo.post(OWN, &json!({"model": "titan", "inputs": inputs})).await;
    let body = answer.json();
    let lengths: Vec<_> = (1..=40_u8).map(|length| [f32::from(length)]).collect();
    assert_eq!(body["embeddings"], json!(lengths), "{}", answer.body);
    assert_eq!((&body["usage"]["input_tokens"], provider.bodies().len()), (&json!(40), 41));
    assert!((2..=8).contains(&provider.most_at_once()), "{}", provider.most_at_once());
    assert_eq!(run.lmo.usage_of(&run.lmo.key, 1).await["input_tokens"], 40);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_providers_words_and_costs_nothing() {
    let provider =
        Provider::start(|_| Reply::Status(400, r#"{"error":{"message":"no such length","param":"dimensions"}}"#));
    let run = start_with(&provider.base_url);
    let refused = run.lmo.post(OPENAI, &json!({"model": "embedder/small", "input": "hi", "dimensions": 3})).await;
    assert_eq!((refused.status, param(&refused)), (400, json!("dimensions")));
    assert!(refused.body.contains("no such length"));
    let usage = run.lmo.usage_of(&run.lmo.key, 1).await;
    assert_eq!((&usage["failed"], &usage["input_tokens"]), (&json!(1), &json!(0)));
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_provider_that_ignores_the_length_is_not_believed() {
    let provider = Provider::start(|_| Reply::Vectors { dimensions: 2, tokens: Some(1) });
    let run = start_with(&provider.base_url);
    let refused = run.lmo.post(OPENAI, &json!({"model": "embedder/small", "input": "hi", "dimensions": 3})).await;
    assert_shape(OPENAI, &refused, 400, "unsupported");
    assert_eq!(param(&refused), "dimensions");
}

#[tokio::test]
async fn a_request_is_finished_and_charged_though_nobody_waits_for_it() {
    let provider = Provider::start(|_| {
        std::thread::sleep(Duration::from_secs(3));
        Reply::Vectors { dimensions: 2, tokens: Some(1) }
    });
    let run = start_with(&provider.base_url);
    let (body, key) = (json!({"model": "embedder/small", "input": "hi"}), run.lmo.key.clone());
    let asking = run.lmo.open("POST", OPENAI, &key, Some(&body));
    assert!(tokio::time::timeout(Duration::from_secs(1), asking).await.is_err());
    let usage = run.lmo.usage_of(&run.lmo.key, 1).await;
    assert_eq!((&usage["input_tokens"], &usage["failed"]), (&json!(1), &json!(0)));
    run.lmo.stop();
    run.setup.assert_books_agree();
}
