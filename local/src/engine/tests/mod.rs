//! The engines through the real SDK clients, as the platform uses them.

mod dynamo;
mod kinesis;
mod pump;
mod secrets;

use std::path::Path;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};

use super::{EngineError, Engines};

const ENDPOINT: &str = "http://lmo.invalid";

async fn open(dir: &Path) -> Engines {
    Engines::open(dir).await.expect("engines")
}

fn credentials() -> Credentials {
    Credentials::new("local", "local", None, None, "local")
}

fn dynamo_client(engines: &Engines) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(ENDPOINT)
        .http_client(engines.http_client())
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

fn kinesis_client(engines: &Engines) -> aws_sdk_kinesis::Client {
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(ENDPOINT)
        .http_client(engines.http_client())
        .build();
    aws_sdk_kinesis::Client::from_conf(config)
}

fn secrets_client(engines: &Engines) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(ENDPOINT)
        .http_client(engines.http_client())
        .build();
    aws_sdk_secretsmanager::Client::from_conf(config)
}

#[tokio::test]
async fn second_open_of_a_directory_says_it_is_locked() {
    let dir = tempfile::tempdir().expect("dir");
    let first = open(dir.path()).await;
    let error = Engines::open(dir.path()).await.expect_err("locked");
    assert!(matches!(error, EngineError::Locked { .. }), "{error}");
    first.shutdown().await;
    open(dir.path()).await;
}

#[tokio::test]
async fn garbage_in_place_of_the_database_is_reported_and_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("lmo.db");
    std::fs::write(&path, "garbage ".repeat(1000)).expect("write");
    let error = Engines::open(dir.path()).await.expect_err("garbage");
    assert!(matches!(error, EngineError::Database { .. }), "{error}");
    assert!(!error.to_string().contains('\n'));
    assert_eq!(std::fs::read(&path).expect("read").len(), 8000);
}

#[tokio::test]
async fn file_in_place_of_the_data_directory_is_reported() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("file");
    std::fs::write(&path, "").expect("write");
    let error = Engines::open(&path).await.expect_err("a file");
    assert!(matches!(error, EngineError::DataDir { .. }), "{error}");
}
