//! The start of a function, and what keeps it from starting.

use lmo_bench::lambda::Launch;

use crate::support::{Ground, Value, query};

const FUNCTIONS: [&str; 5] = ["query", "stream", "tenant", "auth", "aggregate"];

/// Fails unless the function ends at once, with one line that has both words, told to Lambda as well.
pub async fn assert_fails(launch: &Launch, variable: &str, problem: &str) {
    let function = launch.start().unwrap();
    let error = function.host().init_error().await.unwrap();
    assert_eq!(error.kind, "Runtime.InitError");
    let body: Value = serde_json::from_str(&error.body).unwrap();
    let message = body["errorMessage"].as_str().unwrap();
    assert!(message.starts_with(&format!("{variable}: ")) && message.contains(problem), "{message}");
    let ended = function.ended().await.unwrap();
    assert!(!ended.status.success());
    assert_eq!(ended.log.lines().count(), 1, "{}", ended.log);
    assert!(ended.log.contains(message), "{}", ended.log);
}

#[tokio::test]
async fn a_missing_variable_is_told_in_one_line() {
    let ground = Ground::new();
    for function in FUNCTIONS {
        for variable in ["LMO_TABLE", "LMO_STREAM", "LMO_ISSUER"] {
            assert_fails(&ground.launch(function).without(variable), variable, "must be set").await;
        }
    }
}

#[tokio::test]
async fn a_bad_variable_is_told_in_one_line() {
    let ground = Ground::new();
    let launch = ground.launch("query").env("LMO_REQUEST_DEADLINE_SECONDS", "soon");
    assert_fails(&launch, "LMO_REQUEST_DEADLINE_SECONDS", "from 1 to 900").await;
    let launch = ground.launch("stream").env("LMO_ORIGIN_TOKEN", "short");
    assert_fails(&launch, "LMO_ORIGIN_TOKEN", "16").await;
}

#[tokio::test]
async fn a_function_is_ready_before_anybody_calls() {
    let ground = Ground::new();
    for name in FUNCTIONS {
        let function = ground.function(name);
        function.host().first_poll().await.unwrap();
        assert_eq!(function.host().init_error_so_far(), None);
    }
}

#[tokio::test]
async fn engines_that_are_not_there_keep_no_function_from_starting() {
    let ground = Ground::new();
    // The discard port: nobody listens.
    let function = ground.launch("query").env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").start().unwrap();
    function.host().first_poll().await.unwrap();
    let answer = function.open(query(&ground, "hi")).answer().await.http().unwrap();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("unavailable")), "{}", answer.text());
}
