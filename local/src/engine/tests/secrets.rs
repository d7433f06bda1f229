//! Secrets Manager: versions, typed errors and the file's mode.

use std::os::unix::fs::PermissionsExt;

use super::{open, secrets_client};

#[tokio::test]
async fn secret_survives_a_restart_in_a_file_that_others_cannot_read() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = secrets_client(&engines);
    client.create_secret().name("key").secret_string("one").send().await.expect("create");
    client.put_secret_value().secret_id("key").secret_string("two").send().await.expect("put");
    engines.shutdown().await;
    let path = dir.path().join("secrets.json");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("mode");
    let engines = open(dir.path()).await;
    let mode = path.metadata().expect("file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let client = secrets_client(&engines);
    let current = client.get_secret_value().secret_id("key").send().await.expect("current");
    assert_eq!(current.secret_string(), Some("two"));
    let previous = client.get_secret_value().secret_id("key").version_stage("AWSPREVIOUS");
    let previous = previous.send().await.expect("previous");
    assert_eq!(previous.secret_string(), Some("one"));
    let listed = client.list_secrets().send().await.expect("list");
    assert_eq!(listed.secret_list()[0].name(), Some("key"));
}

#[tokio::test]
async fn failures_are_typed() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = secrets_client(&engines);
    let error = client.get_secret_value().secret_id("none").send().await.expect_err("none");
    assert!(error.into_service_error().is_resource_not_found_exception());
    client.create_secret().name("key").secret_string("one").send().await.expect("create");
    let error = client.create_secret().name("key").secret_string("two").send().await;
    assert!(error.expect_err("exists").into_service_error().is_resource_exists_exception());
    client.delete_secret().secret_id("key").send().await.expect("delete");
    let error = client.get_secret_value().secret_id("key").send().await.expect_err("deleted");
    assert!(error.into_service_error().is_invalid_request_exception());
}

#[tokio::test]
async fn a_stage_moves_only_from_where_it_is() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = secrets_client(&engines);
    client.create_secret().name("key").send().await.expect("create");
    let none = client.get_secret_value().secret_id("key").send().await.expect_err("no value");
    assert!(none.into_service_error().is_resource_not_found_exception());
    let put = async |value: &str, stage: &str| {
        let put = client.put_secret_value().secret_id("key").secret_string(value).version_stages(stage);
        put.send().await.expect("put").version_id().expect("id").to_owned()
    };
    let first = put("one", "AWSCURRENT").await;
    let (second, third) = (put("two", "AWSPENDING").await, put("three", "AWSPENDING").await);
    let current = async || client.get_secret_value().secret_id("key").send().await.expect("current");
    assert_eq!(current().await.secret_string(), Some("one"));
    let stage = |from: &str, to: &str| {
        let stage = client.update_secret_version_stage().secret_id("key").version_stage("AWSCURRENT");
        stage.remove_from_version_id(from).move_to_version_id(to).send()
    };
    stage(&first, &second).await.expect("moved");
    let refused = stage(&first, &third).await.expect_err("it is elsewhere").into_service_error();
    assert!(refused.is_invalid_parameter_exception());
    assert_eq!(current().await.secret_string(), Some("two"));
    let previous = client.get_secret_value().secret_id("key").version_stage("AWSPREVIOUS").send().await;
    assert_eq!(previous.expect("previous").version_id(), Some(first.as_str()));
    stage(&first, &second).await.expect("it is there already");
    assert!(stage("none", &third).await.expect_err("none").into_service_error().is_resource_not_found_exception());
}
