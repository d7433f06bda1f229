//! The table, the stream, and the deployment's own keys.

use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata,
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TimeToLiveSpecification,
    },
};
use aws_sdk_kinesis::types::{StreamMode, StreamModeDetails};
use lmo_shared::{platform::Platform, store::keys};

use crate::problem::Problem;

/// Creates the table, the stream and the keys, if they don't exist, and waits until they can be used.
///
/// # Errors
/// What the engine says against it, in one line.
pub async fn create(platform: &Platform) -> Result<(), Problem> {
    table(platform).await?;
    stream(platform).await?;
    platform.ring().create().await?;
    Ok(platform.seal().create().await?)
}

async fn table(platform: &Platform) -> Result<(), Problem> {
    let (client, name) = (platform.table().client(), platform.table().name());
    let what = |error: &dyn std::fmt::Display| Problem(format!("table {name}: {error}"));
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    let text =
        |name: &str| AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build();
    let created = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key(keys::PK, KeyType::Hash).map_err(|error| what(&error))?)
        .key_schema(key(keys::SK, KeyType::Range).map_err(|error| what(&error))?)
        .attribute_definitions(text(keys::PK).map_err(|error| what(&error))?)
        .attribute_definitions(text(keys::SK).map_err(|error| what(&error))?)
        .send()
        .await;
    match created {
        Ok(_) => {}
        Err(error) if error.code() == Some("ResourceInUseException") => return Ok(()),
        Err(error) => return Err(what(&aws_sdk_dynamodb::error::DisplayErrorContext(error))),
    }
    wait(async || {
        let found = client.describe_table().table_name(name).send().await.ok()?;
        (found.table()?.table_status()?.as_str() == "ACTIVE").then_some(())
    })
    .await
    .ok_or_else(|| what(&"did not become active"))?;
    let ttl = TimeToLiveSpecification::builder().attribute_name(keys::EXPIRES_AT).enabled(true).build();
    let ttl = ttl.map_err(|error| what(&error))?;
    let set = client.update_time_to_live().table_name(name).time_to_live_specification(ttl).send().await;
    set.map(drop).map_err(|error| what(&aws_sdk_dynamodb::error::DisplayErrorContext(error)))
}

async fn stream(platform: &Platform) -> Result<(), Problem> {
    let (client, name) = (platform.kinesis(), platform.config().stream.as_str());
    let what = |error: &dyn std::fmt::Display| Problem(format!("stream {name}: {error}"));
    let mode = StreamModeDetails::builder().stream_mode(StreamMode::OnDemand).build().map_err(|error| what(&error))?;
    let created = client.create_stream().stream_name(name).stream_mode_details(mode).send().await;
    match created {
        Ok(_) => {}
        Err(error) if error.code() == Some("ResourceInUseException") => return Ok(()),
        Err(error) => return Err(what(&aws_sdk_kinesis::error::DisplayErrorContext(error))),
    }
    wait(async || {
        let found = client.describe_stream_summary().stream_name(name).send().await.ok()?;
        (found.stream_description_summary()?.stream_status().as_str() == "ACTIVE").then_some(())
    })
    .await
    .ok_or_else(|| what(&"did not become active"))
}

/// Asks until there is an answer, for two minutes at most.
async fn wait<T>(mut ready: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let mut pause = std::time::Duration::from_millis(2);
    for _ in 0..150 {
        if let Some(answer) = ready().await {
            return Some(answer);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(std::time::Duration::from_secs(1));
    }
    None
}
