//! Vectors, as each provider writes them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::speaking::{Came, post};
use super::{eventually, standin};
use crate::standin::embedding;

const OPENAI: &str = "/v1/embeddings";
const TITAN: &str = "/model/amazon.titan-embed-text-v2%3A0/invoke";
const COHERE: &str = "/model/cohere.embed-multilingual-v3/invoke";
const GEMINI: &str = "/v1beta/models/gemini-embedding-001:batchEmbedContents";

async fn embed(path: &str, body: &Value) -> Came {
    post(&standin(), path, body).await
}

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// The cosine of the angle between two unit vectors.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn gemini(texts: &[&str]) -> Value {
    let one = |text: &&str| {
        json!({ "model": "models/gemini-embedding-001", "content": { "parts": [{ "text": text }] },
            "outputDimensionality": 8 })
    };
    json!({ "requests": texts.iter().map(one).collect::<Vec<_>>() })
}

#[test]
fn texts_that_share_words_are_near() {
    let cat = embedding("the cat sat on the mat", 256);
    assert!((cosine(&cat, &cat) - 1.0).abs() < 1e-4);
    assert!(cosine(&cat, &embedding("the cat sat on a mat", 256)) > 0.7);
    assert!(cosine(&cat, &embedding("quarterly tax returns", 256)).abs() < 0.3);
    assert_eq!(cat, embedding("the cat sat on the mat", 256));
    assert!(embedding("", 4).iter().any(|number| *number != 0.0));
}

#[tokio::test]
async fn openai_answers_a_list_with_usage() {
    let answer = embed(OPENAI, &json!({ "model": "e", "input": ["a b", "c"], "dimensions": 3 })).await.json();
    let vectors = [floats(&answer["data"][0]["embedding"]), floats(&answer["data"][1]["embedding"])];
    assert_eq!(vectors, [embedding("a b", 3), embedding("c", 3)]);
    let expected = json!({
        "object": "list",
        "data": [
            { "object": "embedding", "index": 0, "embedding": answer["data"][0]["embedding"] },
            { "object": "embedding", "index": 1, "embedding": answer["data"][1]["embedding"] }
        ],
        "model": "e", "usage": { "prompt_tokens": 3, "total_tokens": 3 }
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn openai_answers_base64_of_the_same_vector() {
    let answer = embed(OPENAI, &json!({ "model": "e", "input": "a b", "encoding_format": "base64" })).await.json();
    let bytes = BASE64_STANDARD.decode(answer["data"][0]["embedding"].as_str().unwrap()).unwrap();
    let vector: Vec<_> = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(vector, embedding("a b", 1536));
}

#[tokio::test]
async fn openai_takes_tokens_for_text() {
    let one = embed(OPENAI, &json!({ "model": "e", "input": [7, 8, 9] })).await.json();
    let two = embed(OPENAI, &json!({ "model": "e", "input": [[7, 8, 9], [1]] })).await.json();
    assert_eq!((&one["usage"]["prompt_tokens"], &two["usage"]["prompt_tokens"]), (&json!(3), &json!(4)));
    assert_eq!(one["data"][0], two["data"][0]);
}

#[tokio::test]
async fn openai_refuses_what_is_no_input() {
    let cases = [
        (json!({ "input": "a" }), "model"),
        (json!({ "model": "e" }), "input"),
        (json!({ "model": "e", "input": "" }), "input"),
        (json!({ "model": "e", "input": [] }), "input"),
        (json!({ "model": "e", "input": ["a", 7] }), "input"),
        (json!({ "model": "e", "input": { "a": 1 } }), "input"),
        (json!({ "model": "e", "input": "a", "dimensions": 0 }), "dimensions"),
        (json!({ "model": "e", "input": "a", "dimensions": 1537 }), "dimensions"),
        (json!({ "model": "e", "input": "a", "encoding_format": "int8" }), "encoding_format"),
        (json!({ "model": "e", "input": "a", "truncate": true }), "truncate"),
    ];
    for (body, param) in cases {
        let came = embed(OPENAI, &body).await;
        assert_eq!((came.status, came.json()["error"]["param"].as_str()), (400, Some(param)), "{body}");
    }
}

#[tokio::test]
async fn titan_answers_one_vector() {
    let came = embed(TITAN, &json!({ "inputText": "a b c", "dimensions": 256 })).await;
    let answer = came.json();
    assert_eq!(floats(&answer["embedding"]), embedding("a b c", 256));
    assert_eq!(answer["embeddingsByType"]["float"], answer["embedding"]);
    assert_eq!((&answer["inputTextTokenCount"], answer.as_object().unwrap().len()), (&json!(3), 3));
    assert_eq!(came.headers["x-amzn-bedrock-input-token-count"], "3");
}

#[tokio::test]
async fn titan_leaves_the_length_if_told() {
    let body = json!({ "inputText": "a b", "normalize": false, "embeddingTypes": ["binary"] });
    let answer = embed(TITAN, &body).await.json();
    let vector = floats(&answer["embedding"]);
    assert!((cosine(&vector, &vector) - 1.0).abs() > 0.1);
    assert_eq!((vector.len(), answer["embeddingsByType"]["binary"].as_array().unwrap().len()), (1024, 1024));
}

#[tokio::test]
async fn cohere_answers_vectors_and_counts_in_a_header() {
    let came = embed(COHERE, &json!({ "texts": ["a b", "c"], "input_type": "search_query" })).await;
    let answer = came.json();
    assert_eq!(floats(&answer["embeddings"][1]), embedding("c", 1024));
    assert_eq!((&answer["response_type"], &answer["texts"]), (&json!("embeddings_floats"), &json!(["a b", "c"])));
    assert_eq!(came.headers["x-amzn-bedrock-input-token-count"], "3");
}

#[tokio::test]
async fn cohere_answers_by_type_if_asked() {
    let body = json!({ "texts": ["c"], "input_type": "search_document", "embedding_types": ["float"], "output_dimension": 256 });
    let answer = embed("/model/us.cohere.embed-v4%3A0/invoke", &body).await.json();
    assert_eq!(floats(&answer["embeddings"]["float"][0]), embedding("c", 256));
    assert_eq!(answer["response_type"], "embeddings_by_type");
}

#[tokio::test]
async fn bedrock_refuses_what_its_models_do_not_take() {
    let cases = [
        (TITAN, json!({}), "required key [inputText] not found"),
        (TITAN, json!({ "inputText": "" }), "expected minLength: 1"),
        (TITAN, json!({ "inputText": "a", "dimensions": 3 }), "256, 512 or 1024"),
        (TITAN, json!({ "texts": ["a"] }), "extraneous key [texts]"),
        (COHERE, json!({ "texts": ["a"] }), "required key [input_type] not found"),
        (COHERE, json!({ "texts": [], "input_type": "search_query" }), "between 1 and 96"),
        (COHERE, json!({ "texts": ["a"], "input_type": "x" }), "x is not a valid enum value"),
        ("/model/amazon.nova-lite-v1%3A0/invoke", json!({}), "The provided model identifier is invalid."),
    ];
    for (path, body, expected) in cases {
        let came = embed(path, &body).await;
        assert_eq!(came.status, 400);
        assert!(came.headers["x-amzn-errortype"].to_str().unwrap().starts_with("ValidationException"));
        assert!(came.text().contains(expected), "{}", came.text());
    }
}

#[tokio::test]
async fn gemini_answers_values() {
    let answer = embed(GEMINI, &gemini(&["a b", "c"])).await.json();
    assert_eq!(floats(&answer["embeddings"][0]["values"]), embedding("a b", 8));
    assert_eq!(floats(&answer["embeddings"][1]["values"]), embedding("c", 8));
}

#[tokio::test]
async fn gemini_refuses_another_model_than_the_paths() {
    let body = json!({ "requests": [{ "model": "models/other", "content": { "parts": [{ "text": "a" }] } }] });
    assert_eq!(embed(GEMINI, &body).await.json()["error"]["status"], "INVALID_ARGUMENT");
}

#[tokio::test]
async fn directives_of_a_text_are_obeyed() {
    let bodies = |text: &str| {
        [
            (OPENAI, json!({ "model": "e", "input": [text], "dimensions": 4 })),
            (TITAN, json!({ "inputText": text })),
            (COHERE, json!({ "texts": [text], "input_type": "search_query" })),
            (GEMINI, gemini(&[text])),
        ]
    };
    for (path, body) in bodies("[[tokens=3]] [[fail=503 times=1]]") {
        let standin = standin();
        assert_eq!(post(&standin, path, &body).await.status, 503);
        assert_eq!(post(&standin, path, &body).await.status, 200);
        let stats = eventually(&standin, |stats| stats.in_flight == 0).await;
        assert_eq!((stats.requests, stats.failed, stats.finished, stats.prompt_tokens), (2, 1, 1, 3));
        assert_eq!(stats.recent[1].path(), path);
    }
    for (path, body) in bodies("[[cut]]") {
        assert!(!embed(path, &body).await.is_whole);
    }
    for (path, body) in bodies("[[malformed_after=0]]") {
        let came = embed(path, &body).await;
        assert!(came.is_whole && serde_json::from_slice::<Value>(&came.body).is_err());
    }
    for (path, body) in bodies("[[no_usage]] [[unknown]]") {
        let came = embed(path, &body).await;
        let text = came.text();
        assert!(text.contains("x_later") && !text.contains("\"usage\"") && !text.contains("inputTextTokenCount"));
        assert!(!came.headers.contains_key("x-amzn-bedrock-input-token-count"));
    }
}
