//! A session's `HEAD`: who has the lock, and how long the session lives.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use serde::Deserialize;

use super::{Opening, PAUSES, Summary, is_contended};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    id::RequestId,
    store::{Item, Partition, failure, is_condition_failure, keys, number, parse, text},
};

/// How far a deleted session's end is moved into the past: further than clocks differ, so that all see that it is over.
const LONG_GONE: Duration = Duration::from_hours(1);

/// The item. Who has the lock is only of interest to the conditions of writes, and not read.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Head {
    /// The request that began the conversation.
    pub born: RequestId,
    /// How many turns it has had: the number of the next.
    pub turns: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// In seconds since the epoch.
    pub expires_at: u64,
    /// Until when it is in the tenant's list, in seconds since the epoch.
    #[serde(default)]
    pub listed_until: u64,
    #[serde(default)]
    pub model: Option<String>,
    #[serde(default)]
    pub summary: Option<Summary>,
}

impl Head {
    pub fn lives_at(&self, now: Timestamp) -> bool {
        self.expires_at > now.seconds()
    }
}

/// What became of an attempt to take the lock.
pub(super) enum Lock {
    Taken(Box<Head>),
    /// Another request has it.
    Busy,
    /// The session is over, but still in the table.
    Expired,
}

/// Takes the lock of a session, new or old, and renews its time to live. A request that has it already, and whose answer
/// got lost, has it.
pub(super) async fn lock(partition: &Partition, opening: &Opening, now: Timestamp) -> Result<Lock> {
    const TAKE: &str = "SET born = if_not_exists(born, :request), turns = if_not_exists(turns, :none), \
        created_at = if_not_exists(created_at, :now), updated_at = if_not_exists(updated_at, :now), \
        busy_request = :request, busy_until = :until, expires_at = :expires";
    const IF_FREE: &str = "attribute_not_exists(pk) OR (expires_at > :seconds \
        AND (attribute_not_exists(busy_request) OR busy_request = :request OR busy_until <= :now))";
    let expires = now.after(opening.ttl).max(opening.until).seconds() + 1;
    let update = partition.update(keys::HEAD).update_expression(TAKE).condition_expression(IF_FREE);
    let update = update
        .expression_attribute_values(":request", text(&opening.request.to_string()))
        .expression_attribute_values(":none", number(0))
        .expression_attribute_values(":now", number(now.0))
        .expression_attribute_values(":seconds", number(now.seconds()))
        .expression_attribute_values(":until", number(opening.until.0))
        .expression_attribute_values(":expires", number(expires))
        .return_values(ReturnValue::AllNew)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match update.send().await {
        Ok(taken) => Ok(Lock::Taken(Box::new(parse(taken.attributes.unwrap_or_default())?))),
        // Only a turn that is just being committed has it.
        Err(error) if is_contended(&error) => Ok(Lock::Busy),
        Err(error) => match refused(&error) {
            Some(item) if parse::<Head>(item.clone())?.lives_at(now) => Ok(Lock::Busy),
            Some(_) => Ok(Lock::Expired),
            None => Err(failure(error)),
        },
    }
}

/// The item that made an update's condition fail.
fn refused(error: &aws_sdk_dynamodb::error::SdkError<UpdateItemError>) -> Option<&Item> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => refusal.item(),
        _ => None,
    }
}

/// Gives the lock back, if the request still has it.
pub(super) async fn unlock(partition: &Partition, request: RequestId) -> Result<()> {
    let update = partition.update(keys::HEAD).update_expression("REMOVE busy_request, busy_until");
    let update = update.condition_expression("busy_request = :request");
    match update.expression_attribute_values(":request", text(&request.to_string())).send().await {
        Ok(_) => Ok(()),
        Err(error) if is_condition_failure(&error) => Ok(()),
        Err(error) => Err(failure(error)),
    }
}

/// Ends a session and takes its lock from whoever has it; returns it as it was, or `None` if there is none.
pub(super) async fn expire(partition: &Partition, now: Timestamp) -> Result<Option<Head>> {
    let update =
        partition.update(keys::HEAD).update_expression("SET expires_at = :gone REMOVE busy_request, busy_until");
    let update = update
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_values(":gone", number(now.before(LONG_GONE).seconds()))
        .return_values(ReturnValue::AllOld);
    for pause in PAUSES {
        match update.clone().send().await {
            Ok(ended) => return parse(ended.attributes.unwrap_or_default()).map(Some),
            Err(error) if is_condition_failure(&error) => return Ok(None),
            Err(error) if is_contended(&error) => tokio::time::sleep(Duration::from_millis(pause)).await,
            Err(error) => return Err(failure(error)),
        }
    }
    Err(Error::Unavailable("the session is contended".into()))
}

/// Deletes the item of a session that is over.
pub(super) async fn clear(partition: &Partition, now: Timestamp) -> Result<()> {
    let over = [(":seconds", number(now.seconds()))];
    // If it is not over, a new one has begun.
    partition.delete_if(keys::HEAD, "expires_at <= :seconds", &over).await.map(drop)
}
