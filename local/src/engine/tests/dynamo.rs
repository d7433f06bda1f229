//! `DynamoDB`: conditions, transactions, typed errors and group commit.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put,
        ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TransactWriteItem, Update,
    },
};
use tokio::task::JoinSet;

use super::{dynamo_client, open};

const TABLE: &str = "items";

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

async fn table(client: &Client) {
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("key");
    let attribute = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .expect("attribute")
    };
    client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .send()
        .await
        .expect("table");
}

async fn put(client: &Client, pk: &str, left: i64) {
    client
        .put_item()
        .table_name(TABLE)
        .item("pk", text(pk))
        .item("sk", text("a"))
        .item("left", number(left))
        .send()
        .await
        .expect("put");
}

async fn get(client: &Client, pk: &str) -> Option<HashMap<String, AttributeValue>> {
    client
        .get_item()
        .table_name(TABLE)
        .consistent_read(true)
        .key("pk", text(pk))
        .key("sk", text("a"))
        .send()
        .await
        .expect("get")
        .item
}

/// Takes one from what is left, if there is one.
async fn take(client: &Client, pk: &str) -> bool {
    let taken = client
        .update_item()
        .table_name(TABLE)
        .key("pk", text(pk))
        .key("sk", text("a"))
        .update_expression("SET #left = #left - :one")
        .condition_expression("#left >= :one")
        .expression_attribute_names("#left", "left")
        .expression_attribute_values(":one", number(1))
        .send()
        .await;
    match taken {
        Ok(_) => true,
        Err(error) => {
            assert!(error.into_service_error().is_conditional_check_failed_exception());
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_decrements_never_go_below_zero() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = dynamo_client(&engines);
    table(&client).await;
    put(&client, "meter", 30).await;
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let client = client.clone();
        tasks.spawn(async move { take(&client, "meter").await });
    }
    let taken = tasks.join_all().await.into_iter().filter(|taken| *taken).count();
    assert_eq!(taken, 30);
    let item = get(&client, "meter").await.expect("item");
    assert_eq!(item["left"], number(0));
}

#[tokio::test]
async fn failed_condition_is_a_typed_error_with_the_item() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = dynamo_client(&engines);
    table(&client).await;
    put(&client, "one", 7).await;
    let error = client
        .put_item()
        .table_name(TABLE)
        .item("pk", text("one"))
        .item("sk", text("a"))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await
        .expect_err("exists")
        .into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.item().expect("item")["left"], number(7));
}

#[tokio::test]
async fn cancelled_transaction_says_why_for_each_action() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = dynamo_client(&engines);
    table(&client).await;
    put(&client, "old", 7).await;
    let create = |pk: &str| {
        let put = Put::builder()
            .table_name(TABLE)
            .item("pk", text(pk))
            .item("sk", text("a"))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("put");
        TransactWriteItem::builder().put(put).build()
    };
    let error = client
        .transact_write_items()
        .transact_items(create("new"))
        .transact_items(create("old"))
        .send()
        .await
        .expect_err("cancelled")
        .into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(error) =
        error
    else {
        panic!("{error:?}");
    };
    let codes: Vec<_> = error.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    assert_eq!(error.cancellation_reasons()[1].item().expect("item")["left"], number(7));
    assert!(get(&client, "new").await.is_none());
}

#[tokio::test]
async fn repeated_transaction_with_the_same_token_counts_once() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = dynamo_client(&engines);
    table(&client).await;
    put(&client, "one", 7).await;
    for _ in 0..2 {
        let update = Update::builder()
            .table_name(TABLE)
            .key("pk", text("one"))
            .key("sk", text("a"))
            .update_expression("ADD #left :one")
            .expression_attribute_names("#left", "left")
            .expression_attribute_values(":one", number(1))
            .build()
            .expect("update");
        client
            .transact_write_items()
            .client_request_token("token")
            .transact_items(TransactWriteItem::builder().update(update).build())
            .send()
            .await
            .expect("transaction");
    }
    assert_eq!(get(&client, "one").await.expect("item")["left"], number(8));
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_share_a_commit_get_their_own_answers() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = dynamo_client(&engines);
    table(&client).await;
    for meter in 0..10 {
        put(&client, &format!("meter-{meter}"), 5).await;
    }
    let before = engines.writes();
    let mut tasks = JoinSet::new();
    for request in 0..400 {
        let client = client.clone();
        tasks.spawn(async move {
            put(&client, &format!("ledger-{request}"), request).await;
            take(&client, &format!("meter-{}", request % 10)).await
        });
    }
    let taken = tasks.join_all().await.into_iter().filter(|taken| *taken).count();
    let after = engines.writes();
    assert_eq!(taken, 50);
    for request in 0..400 {
        let item = get(&client, &format!("ledger-{request}")).await.expect("ledger item");
        assert_eq!(item["left"], number(request));
    }
    assert_eq!(after.operations - before.operations, 450);
    assert!(after.commits - before.commits < 450, "no commit was shared");
}

#[tokio::test]
async fn put_survives_a_restart() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = dynamo_client(&engines);
    table(&client).await;
    put(&client, "kept", 1).await;
    engines.shutdown().await;
    assert!(client.list_tables().send().await.is_err(), "closed");
    let engines = open(dir.path()).await;
    assert!(get(&dynamo_client(&engines), "kept").await.is_some());
}

#[tokio::test]
async fn invalid_request_is_a_validation_exception() {
    let dir = tempfile::tempdir().expect("dir");
    let engines = open(dir.path()).await;
    let client = dynamo_client(&engines);
    table(&client).await;
    let error = client
        .put_item()
        .table_name(TABLE)
        .item("pk", text("no sort key"))
        .send()
        .await
        .expect_err("invalid")
        .into_service_error();
    assert_eq!(error.meta().code(), Some("ValidationException"));
    let error = client
        .get_item()
        .table_name("no-such-table")
        .key("pk", text("a"))
        .send()
        .await
        .expect_err("missing")
        .into_service_error();
    assert!(error.is_resource_not_found_exception());
}
